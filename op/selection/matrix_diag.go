package selection

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const diagTypes = op.F32 | op.I8 | op.U8 | op.I16 | op.I32 | op.I64

// MatrixDiag is MATRIX_DIAG: square matrices with the input's rows on their
// diagonals and zeros elsewhere.
var MatrixDiag = &op.Def{
	Code:     graph.OpCode(schema.MATRIX_DIAG),
	Name:     "MATRIX_DIAG",
	Operands: op.In("diagonal", diagTypes).Out("output", diagTypes),
	Facts:    matrixDiagFacts,
	Version:  version1,
	Since:    []string{"1.14.0"},
	Quant:    float,
	Ref:      op.Plain(func(r *op.Run) error { clear(r.Out[0].Bytes()); return setDiagonals(r, r.In[0]) }),
}

// MatrixSetDiag is MATRIX_SET_DIAG: the input's matrices with other diagonals. Their
// elements follow each other, min(rows, columns) for a matrix; there may be more.
var MatrixSetDiag = &op.Def{
	Code:     graph.OpCode(schema.MATRIX_SET_DIAG),
	Name:     "MATRIX_SET_DIAG",
	Operands: op.In("input", diagTypes).In("diagonal", diagTypes).Out("output", diagTypes),
	Facts:    matrixSetDiagFacts,
	Alias:    []int{0},
	Version:  version1,
	Since:    []string{"1.14.0"},
	Quant:    float,
	Ref:      op.Plain(func(r *op.Run) error { copy(r.Out[0].Bytes(), r.In[0].Bytes()); return setDiagonals(r, r.In[1]) }),
}

func matrixDiagFacts(c *op.Call) error {
	s, err := c.Shape(0)
	if err != nil {
		return err
	}
	if len(s) == 0 {
		return fmt.Errorf("diagonals from a scalar: %w", tensor.ErrShape)
	}
	c.SetResult(0, c.In[0].DType, append(s[:len(s):len(s)], s[len(s)-1]))
	return nil
}

func matrixSetDiagFacts(c *op.Call) error {
	s, err := c.Shape(0)
	if err != nil {
		return err
	}
	if c.In[0].DType != c.In[1].DType {
		return fmt.Errorf("diagonals of type %v for %v: %w", c.In[1].DType, c.In[0].DType, tensor.ErrType)
	}
	if len(s) < 2 {
		return fmt.Errorf("matrices of shape %v: %w", s, tensor.ErrShape)
	}
	d := c.In[1].Shape
	if !c.In[1].Unknown && d.Known() && s.Known() {
		have, err := d.Elems()
		if err != nil {
			return err
		}
		want, err := append(s[:len(s)-2:len(s)-2], min(s[len(s)-2], s[len(s)-1])).Elems()
		if err != nil || have < want {
			return fmt.Errorf("diagonals of shape %v for matrices of shape %v: %w", d, s, tensor.ErrShape)
		}
	}
	c.SetResult(0, c.In[0].DType, s)
	return nil
}

// setDiagonals copies elements onto the diagonals of the result's matrices.
func setDiagonals(r *op.Run, diagonal tensor.Tensor) error {
	s, size := r.Out[0].Shape(), r.Out[0].DType().Size()
	rows, columns := s[len(s)-2], s[len(s)-1]
	n := min(rows, columns)
	dst, src := r.Out[0].Bytes(), diagonal.Bytes()
	if len(dst) == 0 {
		return nil
	}
	for i := range len(dst) / (rows * columns * size) * n {
		if i%4096 == 0 && r.Stop() {
			return op.ErrStopped
		}
		matrix, k := i/n, i%n
		copy(dst[(matrix*rows*columns+k*columns+k)*size:][:size], src[i*size:])
	}
	return nil
}
