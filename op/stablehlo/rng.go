package stablehlo

import (
	"fmt"
	"math/bits"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/philox"
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
		return 3, philoxBits, nil
	case fb.RngAlgorithmTHREEFRY:
		return 2, threefryBits, nil
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
	c.SetResult(0, tensor.UInt64, state.Clone())
	return nil
}

// philoxBits fills the result with Philox blocks. Without a third word of state the
// key is the counter's upper half.
func philoxBits(r *op.Run) error {
	state := tensor.View[uint64](r.In[0].Bytes())
	key, upper := words(state[0]), words(state[0])
	if len(state) > 2 {
		upper = words(state[2])
	}
	return fillBits(r, func(out []uint32, counter [2]uint32) int {
		block := philox.Block(key, [4]uint32{counter[0], counter[1], upper[0], upper[1]})
		return copy(out, block[:])
	})
}

// threefryBits fills the result with Threefry blocks.
func threefryBits(r *op.Run) error {
	key := words(tensor.View[uint64](r.In[0].Bytes())[0])
	return fillBits(r, func(out []uint32, counter [2]uint32) int {
		block := threefry2x32(key, counter)
		return copy(out, block[:])
	})
}

// fillBits fills the result block by block, and returns the state with the counter
// after them. block returns how many words it wrote.
func fillBits(r *op.Run, block func(out []uint32, counter [2]uint32) int) error {
	counter := tensor.View[uint64](r.In[0].Bytes())[1]
	for out := tensor.View[uint32](r.Out[1].Bytes()); len(out) > 0; counter++ {
		if counter%polled == 0 && r.Stop() {
			return op.ErrStopped
		}
		out = out[block(out, words(counter)):]
	}
	copy(r.Out[0].Bytes(), r.In[0].Bytes())
	tensor.View[uint64](r.Out[0].Bytes())[1] = counter
	return nil
}

// words splits a number, the lower half first.
func words(n uint64) [2]uint32 { return [2]uint32{uint32(n), uint32(n >> 32)} }

// threefry2x32 is Threefry of twenty rounds (Salmon et al., "Parallel Random
// Numbers: As Easy as 1, 2, 3", SC 2011).
func threefry2x32(k, c [2]uint32) [2]uint32 {
	rotations := [2][4]int{{13, 15, 26, 6}, {17, 29, 16, 24}}
	key := [3]uint32{k[0], k[1], k[0] ^ k[1] ^ 0x1BD11BDA}
	c[0] += k[0]
	c[1] += k[1]
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
