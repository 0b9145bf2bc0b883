package embedding

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/farmhash"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// LSHProjection is LSH_PROJECTION: hash seeds [H,B] with B ≤ 32, an input [N, …] and
// weights [N] give H·B bits, each the sign of the weighted sum of the items'
// fingerprints under one seed: as B-bit numbers [H] with h·2^B added (SPARSE), or
// one by one [H·B] (DENSE).
var LSHProjection = &op.Def{
	Code: graph.OpCode(schema.LSH_PROJECTION),
	Name: "LSH_PROJECTION",
	Operands: op.In("hash", op.F32).In("input", numeric).
		Opt("weight", op.F32).Out("output", op.I32),
	Facts: lshFacts,
	Since: []string{"1.5.0"},
	Quant: op.Quant{None: true},
	Ref: func(c *op.Call) (op.Kernel, error) {
		sparse := graph.Options[fb.LSHProjectionOptionsT](c.Node).Type == fb.LSHProjectionTypeSPARSE
		return op.Kernel{
			Temp: func(in, _ []tensor.Shape) (int, error) {
				n, err := in[1].Elems()
				return 4 + n/max(in[1][0], 1)*16, err
			},
			Run: func(r *op.Run) error { return lshProjection(r, sparse) },
		}, nil
	},
}

func lshFacts(c *op.Call) error {
	hash, in := &c.In[0], &c.In[1]
	if hash.Unknown || in.Unknown {
		return op.ErrLater
	}
	h := hash.Shape
	if len(h) != 2 || h[1] > 32 || len(in.Shape) == 0 || in.Shape[0] == 0 {
		return fmt.Errorf("hash seeds %v for input %v: %w", h, in.Shape, tensor.ErrShape)
	}
	if c.Has(2) && !c.In[2].Unknown {
		if w := c.In[2].Shape; len(w) != 1 || w[0] >= 0 && in.Shape[0] >= 0 && w[0] != in.Shape[0] {
			return fmt.Errorf("weights %v for input %v: %w", w, in.Shape, tensor.ErrShape)
		}
	}
	n := h[0]
	switch kind := graph.Options[fb.LSHProjectionOptionsT](c.Node).Type; {
	case kind == fb.LSHProjectionTypeDENSE && h.Known():
		n = h[0] * h[1]
	case kind == fb.LSHProjectionTypeDENSE:
		n = -1
	case kind != fb.LSHProjectionTypeSPARSE:
		return fmt.Errorf("projection type %v: %w", kind, tensor.ErrUnsupported)
	}
	c.Out[0].Shape, c.Out[0].Unknown = tensor.Shape{n}, false
	return nil
}

func lshProjection(r *op.Run, sparse bool) error {
	seeds, out, weights := op.F32s(r.In[0]), op.I32s(r.Out[0]), op.OptF32s(r.In, 2)
	perHash := r.In[0].Shape()[1]
	items := r.In[1].Shape()[0]
	size := len(r.In[1].Bytes()) / items
	key := r.Temp[:4+size]
	for h := range r.In[0].Shape()[0] {
		var signature int32
		for b := range perHash {
			if r.Stop() {
				return op.ErrStopped
			}
			bit := signBit(seeds[h*perHash+b], r.In[1].Bytes(), items, weights, key)
			signature = signature<<1 | bit
			if !sparse {
				out[h*perHash+b] = bit
			}
		}
		if sparse {
			out[h] = signature + int32(h)<<(perHash%32) // as x86 shifts 32 bits
		}
	}
	return nil
}

// signBit is 1 where the weighted sum of the fingerprints of seed and item over n
// items is positive.
func signBit(seed float32, items []byte, n int, weights []float32, key []byte) int32 {
	score := 0.0
	size := len(key) - 4
	binary.LittleEndian.PutUint32(key, math.Float32bits(seed))
	for i := range n {
		copy(key[4:], items[i*size:(i+1)*size])
		v := float64(int64(farmhash.Fingerprint64(key)))
		if weights != nil {
			v = float64(float64(weights[i]) * v)
		}
		score += v
	}
	if score > 0 {
		return 1
	}
	return 0
}
