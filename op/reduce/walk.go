// Package reduce holds the operators that fold elements along axes: sums, means,
// extrema, their positions, and running sums.
package reduce

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{Mean, Sum, Prod, Max, Min, Any, All, ArgMax, ArgMin, CumSum}

// maxRank is the highest rank the kernels reduce.
const maxRank = 8

// facts is the shape rule of reductions: the axes that operand 1 lists (twice
// counts once) become 1 with keep_dims, else vanish.
func facts(c *op.Call) error {
	if c.In[0].Unknown {
		return op.ErrLater
	}
	in := c.In[0].Shape
	if len(in) > maxRank {
		return fmt.Errorf("input of rank %d: %w", len(in), tensor.ErrUnsupported)
	}
	axes, err := c.Ints(1)
	if err != nil {
		return err
	}
	reduced := make([]bool, len(in))
	for _, x := range axes {
		if len(in) == 0 { // a scalar's axes go unused
			break
		}
		a, err := in.Axis(x)
		if err != nil {
			return err
		}
		reduced[a] = true
	}
	keep := graph.Options[fb.ReducerOptionsT](c.Node).KeepDims
	out := tensor.Shape{}
	for i, d := range in {
		switch {
		case !reduced[i]:
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	c.Out[0].DType, c.Out[0].Shape, c.Out[0].Unknown = c.In[0].DType, out, false
	return nil
}

// loop is a nest of loops over some of a tensor's axes.
type loop struct {
	rank         int
	size, stride [maxRank]int
}

func (l *loop) axis(n, stride int) {
	if k := l.rank - 1; k >= 0 && l.stride[k] == n*stride {
		l.size[k], l.stride[k] = l.size[k]*n, stride
		return
	}
	l.size[l.rank], l.stride[l.rank] = n, stride
	l.rank++
}

// count is the number of positions.
func (l *loop) count() int {
	n := 1
	for _, d := range l.size[:l.rank] {
		n *= d
	}
	return n
}

// rows splits off the innermost axis: its size and stride.
func (l *loop) rows() (outer loop, n, stride int) {
	if l.rank == 0 {
		return *l, 1, 0
	}
	outer = *l
	outer.rank--
	return outer, l.size[outer.rank], l.stride[outer.rank]
}

// next moves at and the position it stands for to the next one, back to the
// first behind the last.
func (l *loop) next(at *[maxRank]int, position *int) {
	for k := l.rank - 1; k >= 0; k-- {
		at[k]++
		*position += l.stride[k]
		if at[k] < l.size[k] {
			return
		}
		*position -= at[k] * l.stride[k]
		at[k] = 0
	}
}

// split returns the loops over the axes a reduction keeps and over those it
// reduces, and whether it reduces all.
func split(r *op.Run) (kept, reduced loop, all bool) {
	in := r.In[0].Shape()
	var folded [maxRank]bool
	if len(in) > 0 {
		for _, a := range op.I32s(r.In[1]) {
			folded[(int(a)+len(in))%len(in)] = true
		}
	}
	stride := strides(in)
	all = true
	for i, n := range in {
		if folded[i] {
			reduced.axis(n, stride[i])
		} else {
			kept.axis(n, stride[i])
			all = false
		}
	}
	return kept, reduced, all
}

// fold computes done(step(… step(init, x0) …, xn), n) for each element of the
// result, over its operands in row-major order.
func fold[T tensor.Element, A any](r *op.Run, init A, step func(acc A, x T) A, done func(acc A, n int) T) error {
	in, out := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.Out[0].Bytes())
	kept, reduced, _ := split(r)
	n := reduced.count()
	rows, row, stride := reduced.rows()
	var at [maxRank]int
	base := 0
	for i := range out {
		if i%1024 == 0 && r.Stop() {
			return op.ErrStopped
		}
		acc := init
		var inner [maxRank]int
		for range rows.count() {
			for k := range row {
				acc = step(acc, in[base+k*stride])
			}
			rows.next(&inner, &base)
		}
		out[i] = done(acc, n)
		kept.next(&at, &base)
	}
	return nil
}

func strides(s tensor.Shape) (d [maxRank]int) {
	n := 1
	for i := len(s) - 1; i >= 0; i-- {
		d[i] = n
		n *= s[i]
	}
	return d
}
