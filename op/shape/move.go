package shape

import (
	"fmt"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// maxRank is the highest rank the kernels move.
const maxRank = 16

// dims holds a number for each axis.
type dims [maxRank]int

// strides returns how many elements apart neighbours along each axis are.
func strides(s tensor.Shape) (d dims) {
	n := 1
	for i := len(s) - 1; i >= 0; i-- {
		d[i] = n
		n *= s[i]
	}
	return d
}

// box pairs elements of two tensors: those at dstAt + Σ i[k]·dst[k] and
// srcAt + Σ i[k]·src[k] for all indices i[k] below size[k]. All operators that
// move elements are boxes.
type box struct {
	rank           int
	size, dst, src dims
	dstAt, srcAt   int
}

// axis adds an axis inside the others; where it continues the one outside it in
// both tensors the two become one.
func (b *box) axis(n, dst, src int) {
	if n == 1 {
		return
	}
	if k := b.rank - 1; k >= 0 && b.dst[k] == n*dst && b.src[k] == n*src {
		b.size[k], b.dst[k], b.src[k] = b.size[k]*n, dst, src
		return
	}
	b.size[b.rank], b.dst[b.rank], b.src[b.rank] = n, dst, src
	b.rank++
}

// move copies the source's elements of the box to their partners. Both tensors
// have the same type, of one byte or more.
func (b *box) move(r *op.Run, dst, src tensor.Tensor) error {
	d, s := dst.Bytes(), src.Bytes()
	switch dst.DType().Size() {
	case 1:
		return move[uint8](r, b, d, s)
	case 2:
		return move[uint16](r, b, d, s)
	case 4:
		return move[uint32](r, b, d, s)
	case 8:
		return move[uint64](r, b, d, s)
	case 16:
		return move[complex128](r, b, d, s)
	}
	return fmt.Errorf("moving %v: %w", dst.DType(), tensor.ErrUnsupported)
}

func move[T tensor.Element](r *op.Run, b *box, dst, src []byte) error {
	d, s := tensor.View[T](dst), tensor.View[T](src)
	outer, inner, ds, ss := 0, 1, 1, 1
	if b.rank > 0 {
		outer = b.rank - 1
		inner, ds, ss = b.size[outer], b.dst[outer], b.src[outer]
	}
	for _, n := range b.size[:b.rank] {
		if n == 0 {
			return nil
		}
	}
	var at dims
	moved := 0
	for i, j := b.dstAt, b.srcAt; ; {
		if ds == 1 && ss == 1 {
			copy(d[i:i+inner], s[j:j+inner])
		} else {
			for k := range inner {
				d[i+k*ds] = s[j+k*ss]
			}
		}
		if moved += inner; moved > 1<<16 {
			if r.Stop() {
				return op.ErrStopped
			}
			moved = 0
		}
		k := outer - 1
		for ; k >= 0; k-- {
			at[k]++
			i += b.dst[k]
			j += b.src[k]
			if at[k] < b.size[k] {
				break
			}
			i -= at[k] * b.dst[k]
			j -= at[k] * b.src[k]
			at[k] = 0
		}
		if k < 0 {
			return nil
		}
	}
}

// mover makes the kernel of an operator that moves elements of the type of
// result 0. run sees elements of one byte or more: narrower ones are unpacked
// before and packed behind it, and for strings it moves their numbers.
func mover(run func(r *op.Run) error) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		switch d := c.Out[0].DType; {
		case d == tensor.String:
			return op.Kernel{Run: func(r *op.Run) error { return moveStrings(r, run) }}, nil
		case d == tensor.Int4 || d == tensor.UInt4:
			return nibbles(c, run), nil
		case d.Size() == 0:
			return op.Kernel{}, fmt.Errorf("moving %v: %w", d, tensor.ErrUnsupported)
		}
		return op.Kernel{Run: run}, nil
	}
}

// moveStrings runs a mover on the numbers of the operands' strings, then gathers
// the strings the results ask for. A result's number 0 is the empty string.
func moveStrings(r *op.Run, run func(r *op.Run) error) error {
	numbers := op.Run{In: append([]tensor.Tensor(nil), r.In...), Out: append([]tensor.Tensor(nil), r.Out...), Stopped: r.Stopped}
	all := [][]byte{nil}
	for i, t := range r.In {
		if t.DType() != tensor.String {
			continue
		}
		s, err := t.Strings()
		if err != nil {
			return err
		}
		n := tensor.Raw(tensor.Int32, t.Shape(), tensor.Quant{}, tensor.Aligned(4*len(s)))
		for k, v := 0, op.I32s(n); k < len(s); k++ {
			v[k] = int32(len(all) + k)
		}
		numbers.In[i], all = n, append(all, s...)
	}
	for i, t := range r.Out {
		n, err := tensor.Zeros(tensor.Int32, t.Shape())
		if err != nil {
			return err
		}
		numbers.Out[i] = n
	}
	if err := run(&numbers); err != nil {
		return err
	}
	for i, t := range r.Out {
		picked := op.I32s(numbers.Out[i])
		s := make([][]byte, len(picked))
		for k, n := range picked {
			s[k] = all[n]
		}
		var err error
		if r.Out[i], err = tensor.OfStrings(t.Shape(), s...); err != nil {
			return err
		}
	}
	return nil
}

// nibbles makes a kernel that runs a mover of 4-bit elements over bytes that
// hold one each.
func nibbles(c *op.Call, run func(r *op.Run) error) op.Kernel {
	d := c.Out[0].DType
	var ins []int // operands of that type; all results have it
	for i := range c.In {
		if c.In[i].DType == d && c.In[i].Present {
			ins = append(ins, i)
		}
	}
	return op.Kernel{
		State: func() any { return &op.Run{} },
		Temp: func(in, out []tensor.Shape) (int, error) {
			total := 0
			for _, i := range ins {
				out = append(out[:len(out):len(out)], in[i])
			}
			for _, s := range out {
				n, err := s.Bytes(tensor.Int8)
				if err != nil {
					return 0, err
				}
				total += roundUp(n)
			}
			return total, nil
		},
		Run: func(r *op.Run) error {
			wide, temp := r.State.(*op.Run), r.Temp
			wide.In, wide.Out = append(wide.In[:0], r.In...), append(wide.Out[:0], r.Out...)
			wide.Stopped = r.Stopped
			take := func(t tensor.Tensor) tensor.Tensor {
				n := t.Len()
				w := tensor.Raw(tensor.UInt8, t.Shape(), t.Quant(), temp[:n:n])
				temp = temp[roundUp(n):]
				return w
			}
			for _, i := range ins {
				wide.In[i] = take(r.In[i])
				unpack4(wide.In[i].Bytes(), r.In[i].Bytes())
			}
			for i := range wide.Out {
				wide.Out[i] = take(r.Out[i])
			}
			if err := run(wide); err != nil {
				return err
			}
			for i := range wide.Out {
				pack4(r.Out[i].Bytes(), wide.Out[i].Bytes())
			}
			return nil
		},
	}
}

func roundUp(n int) int { return (n + 63) &^ 63 }

// unpack4 spreads packed elements, the first in the low bits, over dst.
func unpack4(dst, src []byte) {
	for i := range dst {
		dst[i] = src[i/2] >> (4 * (i % 2)) & 15
	}
}

// pack4 is the inverse of unpack4.
func pack4(dst, src []byte) {
	clear(dst)
	for i, v := range src {
		dst[i/2] |= v & 15 << (4 * (i % 2))
	}
}

// ranked returns the shape of operand i; ErrLater where its rank is not known.
func ranked(c *op.Call, i int) (tensor.Shape, error) {
	if c.In[i].Unknown {
		return nil, op.ErrLater
	}
	s := c.In[i].Shape
	if len(s) > maxRank {
		return nil, fmt.Errorf("operand %d has rank %d, at most %d is supported: %w", i, len(s), maxRank, tensor.ErrUnsupported)
	}
	return s, nil
}

// result declares result k's shape, and its type as that of operand i.
func result(c *op.Call, k, i int, s tensor.Shape) {
	c.Out[k].DType, c.Out[k].Shape, c.Out[k].Unknown = c.In[i].DType, s, false
}

// vector returns the value of integer operand i, which has n elements in one
// dimension.
func vector(c *op.Call, i, n int) ([]int, error) {
	v, err := c.Ints(i)
	if err != nil {
		return nil, err
	}
	if len(c.In[i].Shape) != 1 || len(v) != n {
		return nil, fmt.Errorf("operand %d has shape %v, want [%d]: %w", i, c.In[i].Shape, n, tensor.ErrShape)
	}
	return v, nil
}

// index returns element k of a tensor of signed integers or booleans.
func index(t tensor.Tensor, k int) int {
	switch b := t.Bytes(); t.DType() {
	case tensor.Int64:
		return int(tensor.View[int64](b)[k])
	case tensor.Int16:
		return int(tensor.View[int16](b)[k])
	case tensor.Int8, tensor.Bool:
		return int(tensor.View[int8](b)[k])
	default:
		return int(tensor.View[int32](b)[k])
	}
}

// atType is the version rule of operators whose version is chosen by the type of
// operand i; 1 for types that are not listed.
func atType(i int, by map[tensor.DType]int) func(c *op.Call) int {
	return func(c *op.Call) int { return max(by[c.In[i].DType], 1) }
}
