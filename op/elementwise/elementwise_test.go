package elementwise

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

func TestBroadcast(t *testing.T) {
	for _, c := range []struct {
		name   string
		shapes []tensor.Shape
		want   tensor.Shape
		err    error
	}{
		{"scalars", []tensor.Shape{{}, {}}, tensor.Shape{}, nil},
		{"leading axes", []tensor.Shape{{3}, {2, 1}}, tensor.Shape{2, 3}, nil},
		{"unknown next to 1", []tensor.Shape{{-1, 4}, {1, 4}}, tensor.Shape{-1, 4}, nil},
		{"unknown next to another", []tensor.Shape{{-1}, {7}}, tensor.Shape{7}, nil},
		{"two unknown", []tensor.Shape{{-1}, {-1}}, tensor.Shape{-1}, nil},
		{"empty", []tensor.Shape{{0, 3}, {1, 3}}, tensor.Shape{0, 3}, nil},
		{"three", []tensor.Shape{{2, 1}, {3}, {}}, tensor.Shape{2, 3}, nil},
		{"empty next to two", []tensor.Shape{{0}, {2}}, nil, tensor.ErrShape},
		{"different", []tensor.Shape{{2, 3}, {2}}, nil, tensor.ErrShape},
		{"third differs", []tensor.Shape{{1}, {4}, {3}}, nil, tensor.ErrShape},
		{"rank 9", []tensor.Shape{{1, 1, 1, 1, 1, 1, 1, 1, 1}}, nil, tensor.ErrUnsupported},
	} {
		got, err := Broadcast(c.shapes...)
		if !errors.Is(err, c.err) || err == nil && !got.Equal(c.want) {
			t.Errorf("%s: %v, %v, want %v, %v", c.name, got, err, c.want, c.err)
		}
	}
}

// TestWalk compares a walk's positions with those that indices give.
func TestWalk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		out := tensor.Shape(rapid.SliceOfN(rapid.IntRange(0, 4), 0, 5).Draw(t, "out"))
		operands := make([]tensor.Shape, rapid.IntRange(1, maxOperands).Draw(t, "operands"))
		for k := range operands {
			from := rapid.IntRange(0, len(out)).Draw(t, "from")
			operands[k] = out[from:].Clone()
			for i := range operands[k] {
				if rapid.Bool().Draw(t, "broadcast") {
					operands[k][i] = 1
				}
			}
		}
		n, _ := out.Elems()
		w := NewWalk(out, operands...)
		if n == 0 {
			w.Run = 1
		}
		if w.Runs()*w.Run != n {
			t.Fatalf("%d runs of %d elements, want %d elements", w.Runs(), w.Run, n)
		}
		for i := range n {
			for k, s := range operands {
				if got, want := w.At[k]+i%w.Run*w.Step[k], position(out, s, i); got != want {
					t.Fatalf("element %d of %v: position %d in %v, want %d", i, out, got, s, want)
				}
			}
			if i%w.Run == w.Run-1 {
				w.Next()
			}
		}
	})
}

// position is where element i of a result is in an operand.
func position(out, operand tensor.Shape, i int) int {
	at, stride := 0, 1
	for axis := len(out) - 1; axis >= 0; axis-- {
		index := i % out[axis]
		i /= out[axis]
		if k := axis - (len(out) - len(operand)); k >= 0 {
			if operand[k] != 1 {
				at += index * stride
			}
			stride *= operand[k]
		}
	}
	return at
}

func TestBFloat16(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, c := range []struct {
		in   float32
		want uint16
	}{
		{1, 0x3f80}, {-2, 0xc000}, {0, 0}, {float32(math.Copysign(0, -1)), 0x8000},
		{1 + 1./256, 0x3f80},      // a tie: even is below
		{1 + 3./256, 0x3f82},      // a tie: even is above
		{1 + 1.0001/256, 0x3f81},  // just above a tie
		{math.MaxFloat32, 0x7f80}, // rounds to infinity
		{inf, 0x7f80}, {-inf, 0xff80},
		{math.Float32frombits(0x7f800001), 0x7fc0}, // NaN stays NaN
	} {
		if got := Float32ToBFloat16(c.in); got != c.want {
			t.Errorf("%v is %#x, want %#x", c.in, got, c.want)
		}
	}
	for h := range 1 << 16 {
		f := BFloat16ToFloat32(uint16(h))
		if got := Float32ToBFloat16(f); f == f && got != uint16(h) {
			t.Fatalf("%#x comes back as %#x", h, got)
		}
	}
}

// TestNoAllocation holds that kernels on static shapes allocate nothing.
func TestNoAllocation(t *testing.T) {
	f32 := func(s ...int) tensor.Tensor {
		x, err := tensor.Zeros(tensor.Float32, s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	i16, _ := tensor.Zeros(tensor.Int16, tensor.Shape{6})
	q := op.Fact{DType: tensor.Int16, Quant: tensor.PerTensor(0.5, 0)}
	quantized := &op.Call{In: []op.Fact{q}, Out: []op.Fact{q}}
	sum := func(x, y float32) float32 { return x + y }
	for _, c := range []struct {
		name string
		make op.Maker
		in   []tensor.Tensor
		out  tensor.Tensor
	}{
		{"unary", Unary(func(x float32) float32 { return -x }), []tensor.Tensor{f32(2, 3)}, f32(2, 3)},
		{"one shape", Binary(sum), []tensor.Tensor{f32(2, 3), f32(2, 3)}, f32(2, 3)},
		{"broadcast", Binary(sum), []tensor.Tensor{f32(2, 1), f32(3)}, f32(2, 3)},
		{"table", Table16(Fixed(func(x float32) float32 { return x })), []tensor.Tensor{i16}, i16},
	} {
		k, err := c.make(quantized)
		if err != nil {
			t.Fatal(err)
		}
		r := &op.Run{In: c.in, Out: []tensor.Tensor{c.out}}
		if n := testing.AllocsPerRun(10, func() { err = k.Run(r) }); n != 0 || err != nil {
			t.Errorf("%s: %v allocations, %v", c.name, n, err)
		}
	}
}
