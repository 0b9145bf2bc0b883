package dense

import (
	"fmt"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Shuffled weights (SHUFFLED4x16INT8) lie in tiles of 4 units by 16 inputs, with
// the sign bit of every uint8 flipped, so that they are int8 with zero point 0.
// The second result is the input in the same form: as it is for a batch of 1, in
// tiles of 4 rows by 16 for a batch of 4, the only sizes there are.
const (
	tileUnits = 4
	tileDepth = 16
)

func shuffledFacts(c *op.Call, units, depth int) error {
	batch := c.Out[0].Shape[0]
	switch {
	case !shuffled(c) || len(c.Out) != 2 || !c.Out[1].Present:
		return fmt.Errorf("%d results, want 1, or 2 with shuffled weights: %w", len(c.Out), tensor.ErrMalformed)
	case units%tileUnits != 0 || depth%tileDepth != 0 || depth == 0:
		return fmt.Errorf("shuffled weights %v: %w", c.In[1].Shape, tensor.ErrShape)
	case len(c.Out[0].Shape) != 2 || batch >= 0 && batch != 1 && batch != tileUnits:
		return fmt.Errorf("shuffled weights with output %v: %w", c.Out[0].Shape, tensor.ErrUnsupported)
	}
	work := &c.Out[1]
	if n, err := work.Shape.Elems(); work.Unknown || err != nil || n != batch*depth {
		work.Shape, work.Unknown = tensor.Shape{batch, depth}, false
	}
	return nil
}

func refShuffled(c *op.Call) (op.Kernel, error) {
	q, err := fixedRequant(c)
	if err != nil {
		return op.Kernel{}, err
	}
	return op.Kernel{Run: func(r *op.Run) error {
		units, depth := weightsShape(r)
		x, w, out, bias := r.Out[1].Bytes(), r.In[1].Bytes(), op.I16s(r.Out[0]), narrowBias(r)
		batch := r.Out[0].Shape()[0]
		shuffle(x, r.In[0].Bytes(), batch, depth)
		return rows(r, units, func(row, unit int) {
			var sum int32
			for d := 0; d < depth; d += tileDepth {
				wAt := unit/tileUnits*tileUnits*depth + d*tileUnits + unit%tileUnits*tileDepth
				xAt := d*batch + row*tileDepth
				for j := range tileDepth {
					sum += int32(int8(w[wAt+j])) * int32(int8(x[xAt+j]))
				}
			}
			out[row*units+unit] = int16(q.Apply(sum+int32(bias.At(unit)), unit))
		})
	}}, nil
}

// shuffle flips sign bits and brings the rows into tiles.
func shuffle(dst, src []byte, batch, depth int) {
	for i := range dst {
		tile, row, j := i/(batch*tileDepth), i/tileDepth%batch, i%tileDepth
		dst[i] = src[row*depth+tile*tileDepth+j] ^ 0x80
	}
}
