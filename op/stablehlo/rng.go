package stablehlo

import (
	"fmt"
	"math/bits"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// RngBitGenerator is STABLEHLO_RNG_BIT_GENERATOR: random bits for every element
// of a result whose shape the model declares, and the state after them. The state
// is a 64-bit key and a counter.
var RngBitGenerator = random(def(schema.STABLEHLO_RNG_BIT_GENERATOR, "2.15.0",
	op.In("initial_state", op.U64).Out("state", op.U64).Out("bits", op.I32|op.I64|op.U32|op.U64), rngFacts,
	func(c *op.Call) (op.Kernel, error) {
		_, run, err := algorithm(c.Node)
		return op.Kernel{Run: run}, err
	}))

func random(d *op.Def) *op.Def {
	d.Effect = op.Random
	return d
}

// algorithm returns the most 64-bit words of state that a node's algorithm takes,
// at least 2, and its kernel.
func algorithm(n *graph.Node) (most int, run func(r *op.Run) error, err error) {
	switch a := graph.Options[fb.StablehloRngBitGeneratorOptionsT](n).Algorithm; a {
	case fb.RngAlgorithmDEFAULT, fb.RngAlgorithmPHILOX:
		return 3, philox, nil
	case fb.RngAlgorithmTHREEFRY:
		return 2, threefry, nil
	default:
		return 0, nil, fmt.Errorf("random algorithm %d: %w", a, tensor.ErrUnsupported)
	}
}

func rngFacts(c *op.Call) error {
	most, _, err := algorithm(c.Node)
	if err != nil {
		return err
	}
	state, err := ranked(c, 0, 1, 1)
	if err != nil {
		return err
	}
	if n := state[0]; n >= 0 && (n < 2 || n > most) {
		return fmt.Errorf("state of shape %v, want 2 to %d words: %w", state, most, tensor.ErrShape)
	}
	if c.Out[1].Unknown || !c.Out[1].Shape.Known() {
		return fmt.Errorf("random bits of unknown shape: %w", tensor.ErrUnsupported)
	}
	return declare(c, state.Clone())
}

// philox fills the result with Philox4x32 blocks. Without a third word of state
// the key is the counter's upper half.
func philox(r *op.Run) error {
	in, state := tensor.View[uint32](r.In[0].Bytes()), tensor.View[uint32](r.Out[0].Bytes())
	counter := [4]uint32{in[2], in[3], in[0], in[1]}
	if len(in) > 4 {
		counter[2], counter[3] = in[4], in[5]
	}
	copy(state, in)
	for out := tensor.View[uint32](r.Out[1].Bytes()); len(out) > 0; {
		block := philox4x32(in[0], in[1], counter)
		out = out[copy(out, block[:]):]
		increment(&counter[0], &counter[1])
		if counter[0]%polled == 0 && r.Stop() {
			return op.ErrStopped
		}
	}
	state[2], state[3] = counter[0], counter[1]
	return nil
}

// threefry fills the result with Threefry2x32 blocks.
func threefry(r *op.Run) error {
	in, state := tensor.View[uint32](r.In[0].Bytes()), tensor.View[uint32](r.Out[0].Bytes())
	counter := [2]uint32{in[2], in[3]}
	copy(state, in)
	for out := tensor.View[uint32](r.Out[1].Bytes()); len(out) > 0; {
		block := threefry2x32(in[0], in[1], counter)
		out = out[copy(out, block[:]):]
		increment(&counter[0], &counter[1])
		if counter[0]%polled == 0 && r.Stop() {
			return op.ErrStopped
		}
	}
	state[2], state[3] = counter[0], counter[1]
	return nil
}

// increment adds one to a 64-bit counter of two words.
func increment(low, high *uint32) {
	if *low++; *low == 0 {
		*high++
	}
}

// philox4x32 is Philox of ten rounds (Salmon et al., "Parallel random numbers: as
// easy as 1, 2, 3", SC 2011).
func philox4x32(k0, k1 uint32, c [4]uint32) [4]uint32 {
	for range 10 {
		hi0, lo0 := bits.Mul32(0xD2511F53, c[0])
		hi1, lo1 := bits.Mul32(0xCD9E8D57, c[2])
		c = [4]uint32{hi1 ^ c[1] ^ k0, lo1, hi0 ^ c[3] ^ k1, lo0}
		k0 += 0x9E3779B9
		k1 += 0xBB67AE85
	}
	return c
}

// threefry2x32 is Threefry of twenty rounds, from the same paper.
func threefry2x32(k0, k1 uint32, c [2]uint32) [2]uint32 {
	rotations := [2][4]int{{13, 15, 26, 6}, {17, 29, 16, 24}}
	key := [3]uint32{k0, k1, k0 ^ k1 ^ 0x1BD11BDA}
	c[0] += k0
	c[1] += k1
	for i := range 5 {
		for _, n := range rotations[i%2] {
			c[0] += c[1]
			c[1] = bits.RotateLeft32(c[1], n) ^ c[0]
		}
		c[0] += key[(i+1)%3]
		c[1] += key[(i+2)%3] + uint32(i+1)
	}
	return c
}
