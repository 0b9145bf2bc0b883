package dense

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// batchHybrid quantizes each row of the lhs on the way in. The rhs has one scale,
// or one a column; zero points of it do not count.
func batchHybrid(c *op.Call) (op.Kernel, error) {
	o := graph.Options[fb.BatchMatMulOptionsT](c.Node)
	scales, err := c.In[1].ChannelScales(max(1, len(c.In[1].Quant.Scales)), false)
	if err != nil {
		return op.Kernel{}, err
	}
	quantize := op.QuantizeSymmetric
	if o.AsymmetricQuantizeInputs {
		quantize = op.QuantizeAsymmetric
	}
	return op.Kernel{
		Temp: func(in, _ []tensor.Shape) (int, error) {
			_, depth := lastTwo(in[0], o.AdjX)
			l, err := in[0].Elems()
			if err != nil || depth == 0 {
				return 0, err
			}
			r, err := in[1].Elems()
			return 4*(2*l+r)/depth + 4*depth + l, err
		},
		Run: func(r *op.Run) error {
			p := hybridProduct{matrices: merged(o, r.In[0].Shape(), r.In[1].Shape()), scales: scales}
			if n := len(scales); n > 1 && n != p.columns {
				return fmt.Errorf("%d scales for %d columns: %w", n, p.columns, tensor.ErrMalformed)
			}
			if p.depth == 0 {
				clear(r.Out[0].Bytes())
				return nil
			}
			l, rhs := op.F32s(r.In[0]), op.I8s(r.In[1])
			p.layOut(r.Temp, len(l)/p.depth, len(rhs)/p.depth)
			p.quantizeRows(l, quantize)
			p.sumColumns(rhs)
			return p.run(r, rhs, op.F32s(r.Out[0]))
		},
	}, nil
}

// merged returns the bounds of a product as LiteRT loops over it: it takes the axis
// before the rows of the lhs for rows if the rhs broadcasts along it.
func merged(o *fb.BatchMatMulOptionsT, l, r tensor.Shape) matrices {
	n, k := len(l)-3, len(r)-3
	if !o.AdjX && n >= 0 && k >= 0 && r[k] == 1 {
		l = append(l[:n:n], l[n]*l[n+1], l[n+2])
		r = append(r[:k:k], r[k+1:]...)
	}
	return matricesOf(o, l, r)
}

// hybridProduct is one invocation. LiteRT finds scales and zero points of rows and
// sums of columns as if at most one axis of the batch were longer than 1; if several
// are, it takes those of other matrices.
type hybridProduct struct {
	matrices
	scales    []float32 // of the rhs: one, or one a column
	rowScales []float32 // of each row of the whole lhs,
	zeros     []int32   // its zero point
	q         []int8    // and its integers
	sums      []int32   // of each column of the whole rhs
	row       []float32
}

func (p *hybridProduct) layOut(temp []byte, rows, columns int) {
	words := func(n int) (b []byte) {
		b, temp = temp[:4*n], temp[4*n:]
		return b
	}
	p.rowScales = tensor.View[float32](words(rows))
	p.zeros, p.sums = tensor.View[int32](words(rows)), tensor.View[int32](words(columns))
	p.row = tensor.View[float32](words(p.depth))
	p.q = tensor.View[int8](temp)
}

func (p *hybridProduct) quantizeRows(l []float32, quantize func(x []float32, q []int8) (float32, int32)) {
	for i := range p.zeros {
		at := i/p.rows*p.rows*p.depth + i%p.rows*p.lRow
		for k := range p.row {
			p.row[k] = l[at+k*p.lDepth]
		}
		p.rowScales[i], p.zeros[i] = quantize(p.row, p.q[i*p.depth:])
	}
}

func (p *hybridProduct) sumColumns(rhs []int8) {
	for j := range p.sums {
		at := j/p.columns*p.columns*p.depth + j%p.columns*p.rColumn
		p.sums[j] = 0
		for k := range p.depth {
			p.sums[j] += int32(rhs[at+k*p.rDepth])
		}
	}
}

func (p *hybridProduct) run(r *op.Run, rhs []int8, out []float32) error {
	rowSteps, columnSteps := p.lBatch.of(p.rows), p.rBatch.of(p.columns)
	return p.each(r, func(b steps, to int) {
		lAt, rAt, row, column := p.lBatch.at(b), p.rBatch.at(b), rowSteps.at(b), columnSteps.at(b)
		for i := range p.rows {
			if r.Stop() {
				return // each stops too
			}
			scale, zero := p.rowScales[row+i], float32(p.zeros[row+i])
			x := p.q[lAt+i*p.depth:][:p.depth]
			for j := range p.columns {
				var sum int32
				for k, v := range x {
					sum += int32(v) * int32(rhs[rAt+j*p.rColumn+k*p.rDepth])
				}
				// LiteRT subtracts in float.
				sum = fixed.ToInt32(float32(sum) - float32(float32(p.sums[column+j])*zero))
				out[to+i*p.columns+j] = float32(scale*p.scales[j%len(p.scales)]) * float32(sum)
			}
		}
	})
}
