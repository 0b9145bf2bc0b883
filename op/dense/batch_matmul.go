package dense

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// BatchMatMul is BATCH_MATMUL: lhs […,M,K] by rhs […,K,N] is […,M,N], with the last
// two axes swapped where adj_x or adj_y say so; the axes before them broadcast. The
// ranks are 2 to 5.
var BatchMatMul = &op.Def{
	Code: graph.OpCode(schema.BATCH_MATMUL),
	Name: "BATCH_MATMUL",
	Operands: op.In("lhs", op.F32|op.I8|op.I16).In("rhs", op.F32|op.I8|op.I16).
		Out("output", op.F32|op.I8|op.I16|op.I32),
	Facts:   batchFacts,
	Version: batchVersion,
	Since:   []string{"2.3.0", "2.3.0", "2.4.0", "2.5.0"},
	Quant: op.Quant{
		In:      []op.Rule{op.Activation(), op.Activation()},
		Weights: []int{1},
		Asym:    true,
	},
	Ref: func(c *op.Call) (op.Kernel, error) {
		f := form{c.In[0].DType, c.In[1].DType, c.Out[0].DType}
		mk, ok := batchForms[f]
		if !ok {
			return op.Kernel{}, fmt.Errorf("%v by %v to %v: %w", f.input, f.weights, f.output, tensor.ErrUnsupported)
		}
		return mk(c)
	},
}

var batchForms = map[form]op.Maker{
	{tensor.Float32, tensor.Float32, tensor.Float32}: batchFloat,
	{tensor.Float32, tensor.Int8, tensor.Float32}:    batchHybrid,
	{tensor.Int8, tensor.Int8, tensor.Int8}:          batchInt8,
	{tensor.Int8, tensor.Int8, tensor.Int32}:         batchInt32,
	{tensor.Int16, tensor.Int16, tensor.Int16}:       batchInt16[int16],
	{tensor.Int16, tensor.Int8, tensor.Int16}:        batchInt16[int8],
}

func batchVersion(c *op.Call) int {
	switch in := c.In[0].DType; {
	case in == tensor.Int8, in == tensor.Int16: // written 16x8 files carry the int8 version
		return 2
	case c.In[1].DType == tensor.Int8 && graph.Options[fb.BatchMatMulOptionsT](c.Node).AsymmetricQuantizeInputs:
		return 4
	}
	return 1
}

const minRank, maxRank = 2, 5

func batchFacts(c *op.Call) error {
	l, r := &c.In[0], &c.In[1]
	if l.Unknown || r.Unknown {
		return op.ErrLater
	}
	for _, s := range []tensor.Shape{l.Shape, r.Shape} {
		if len(s) < minRank || len(s) > maxRank {
			return fmt.Errorf("operand of shape %v, want rank 2 to 5: %w", s, tensor.ErrShape)
		}
	}
	o := graph.Options[fb.BatchMatMulOptionsT](c.Node)
	rows, depth := lastTwo(l.Shape, o.AdjX)
	inner, columns := lastTwo(r.Shape, o.AdjY)
	if depth >= 0 && inner >= 0 && depth != inner {
		return fmt.Errorf("%v by %v: %w", l.Shape, r.Shape, tensor.ErrShape)
	}
	rank := max(len(l.Shape), len(r.Shape))
	out := make(tensor.Shape, rank)
	for i := range rank - 2 {
		a, b := dimFromEnd(l.Shape, rank-i), dimFromEnd(r.Shape, rank-i)
		switch {
		case a == 1 || a < 0 && b > 1:
			out[i] = b
		case a == b || b == 1 || b < 0:
			out[i] = a
		default:
			return fmt.Errorf("%v by %v: %w", l.Shape, r.Shape, tensor.ErrShape)
		}
	}
	out[rank-2], out[rank-1] = rows, columns
	c.Out[0].Shape, c.Out[0].Unknown = out, false
	return nil
}

// lastTwo returns the rows and columns of a shape's matrices.
func lastTwo(s tensor.Shape, swapped bool) (rows, columns int) {
	rows, columns = s[len(s)-2], s[len(s)-1]
	if swapped {
		return columns, rows
	}
	return rows, columns
}

// dimFromEnd returns the dimension n places from the end, 1 where there is none.
func dimFromEnd(s tensor.Shape, n int) int {
	if n > len(s) {
		return 1
	}
	return s[len(s)-n]
}

// matrices is a batched product's loop bounds and strides.
type matrices struct {
	batch                steps // the result's axes before the last two
	lBatch, rBatch       steps // along them, in elements; 0 where they broadcast
	rows, columns, depth int
	lRow, lDepth         int
	rColumn, rDepth      int
}

// steps has a number for each axis before the last two.
type steps [maxRank - 2]int

// at is where the matrices of index b start.
func (s steps) at(b steps) int { return b[0]*s[0] + b[1]*s[1] + b[2]*s[2] }

// of returns n for the axes that do not broadcast.
func (s steps) of(n int) steps {
	for i := range s {
		if s[i] != 0 {
			s[i] = n
		}
	}
	return s
}

func matricesOf(o *fb.BatchMatMulOptionsT, l, r tensor.Shape) matrices {
	var m matrices
	m.rows, m.depth = lastTwo(l, o.AdjX)
	_, m.columns = lastTwo(r, o.AdjY)
	m.lRow, m.lDepth = m.depth, 1
	if o.AdjX {
		m.lRow, m.lDepth = 1, m.rows
	}
	m.rColumn, m.rDepth = 1, m.columns
	if o.AdjY {
		m.rColumn, m.rDepth = m.depth, 1
	}
	lStep, rStep := m.rows*m.depth, m.columns*m.depth
	for i := len(m.batch) - 1; i >= 0; i-- {
		n := maxRank - i
		a, b := dimFromEnd(l, n), dimFromEnd(r, n)
		m.batch[i] = a
		if a == 1 {
			m.batch[i] = b
		} else {
			m.lBatch[i] = lStep
		}
		if b != 1 {
			m.rBatch[i] = rStep
		}
		lStep, rStep = lStep*a, rStep*b
	}
	return m
}

// each visits the matrices: their index, and where the result's starts.
func (m *matrices) each(r *op.Run, f func(b steps, out int)) error {
	out := 0
	for b0 := range m.batch[0] {
		for b1 := range m.batch[1] {
			for b2 := range m.batch[2] {
				f(steps{b0, b1, b2}, out)
				if r.Stop() {
					return op.ErrStopped
				}
				out += m.rows * m.columns
			}
		}
	}
	return nil
}

// eachSum computes every element's sum of (lhs − zeroL)·(rhs − zeroR).
func eachSum[L, R, A integer | ~float32](r *op.Run, o *fb.BatchMatMulOptionsT, l []L, rhs []R, zeroL, zeroR A, emit func(sum A, i int)) error {
	m := matricesOf(o, r.In[0].Shape(), r.In[1].Shape())
	return m.each(r, func(b steps, out int) {
		lAt, rAt := m.lBatch.at(b), m.rBatch.at(b)
		for i := range m.rows {
			if r.Stop() {
				return // each stops too
			}
			for j := range m.columns {
				var sum A
				for k := range m.depth {
					sum += A((A(l[lAt+i*m.lRow+k*m.lDepth]) - zeroL) * (A(rhs[rAt+j*m.rColumn+k*m.rDepth]) - zeroR))
				}
				emit(sum, out+i*m.columns+j)
			}
		}
	})
}

func batchFloat(c *op.Call) (op.Kernel, error) {
	o := graph.Options[fb.BatchMatMulOptionsT](c.Node)
	return op.Kernel{Run: func(r *op.Run) error {
		out := op.F32s(r.Out[0])
		return eachSum(r, o, op.F32s(r.In[0]), op.F32s(r.In[1]), 0, 0, func(sum float32, i int) { out[i] = sum })
	}}, nil
}

// batchRequant is the step to a quantized result; both operands are quantized per
// tensor. An rhs with several scales counts as one with the scale 0, as in LiteRT:
// the result is then the zero point everywhere.
func batchRequant(c *op.Call) (*op.Requant, error) {
	l, r, out := &c.In[0], &c.In[1], &c.Out[0]
	if err := op.CheckActivations(l, out); err != nil {
		return nil, err
	}
	if r.Quant.PerAxis() {
		return op.NewRequant([]float64{0}, fb.ActivationFunctionTypeNONE, out)
	}
	if err := r.Quantized(); err != nil {
		return nil, err
	}
	if z := r.Quant.Zero(); z != 0 && l.DType == tensor.Int16 {
		return nil, fmt.Errorf("int16 by zero point %d: %w", z, tensor.ErrUnsupported)
	}
	return op.NewRequant(op.PerTensorFactor(l, r, out), fb.ActivationFunctionTypeNONE, out)
}

func batchInt8(c *op.Call) (op.Kernel, error) {
	q, err := batchRequant(c)
	if err != nil {
		return op.Kernel{}, err
	}
	o := graph.Options[fb.BatchMatMulOptionsT](c.Node)
	zeroL, zeroR := int32(c.In[0].Quant.Zero()), int32(c.In[1].Quant.Zero())
	return op.Kernel{Run: func(r *op.Run) error {
		out := op.I8s(r.Out[0])
		return eachSum(r, o, op.I8s(r.In[0]), op.I8s(r.In[1]), zeroL, zeroR, func(sum int32, i int) { out[i] = int8(q.Apply(sum, 0)) })
	}}, nil
}

// batchInt32 returns the plain sums: zero points do not take part.
func batchInt32(c *op.Call) (op.Kernel, error) {
	o := graph.Options[fb.BatchMatMulOptionsT](c.Node)
	return op.Kernel{Run: func(r *op.Run) error {
		out := op.I32s(r.Out[0])
		return eachSum(r, o, op.I8s(r.In[0]), op.I8s(r.In[1]), 0, 0, func(sum int32, i int) { out[i] = sum })
	}}, nil
}

func batchInt16[R int8 | int16](c *op.Call) (op.Kernel, error) {
	q, err := batchRequant(c)
	if err != nil {
		return op.Kernel{}, err
	}
	o := graph.Options[fb.BatchMatMulOptionsT](c.Node)
	return op.Kernel{Run: func(r *op.Run) error {
		out := op.I16s(r.Out[0])
		return eachSum(r, o, op.I16s(r.In[0]), tensor.View[R](r.In[1].Bytes()), 0, 0, func(sum int64, i int) { out[i] = int16(q.ApplyWide(sum, 0)) })
	}}, nil
}
