package spectral

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// RFFT2D is RFFT2D: the Fourier transform over the last two axes, cut or padded with
// zeros to the lengths of operand 1, which are powers of two. Of the last axis it
// gives the first half and the middle; the others are their conjugates. A length of 1
// there is what column says.
var RFFT2D = &op.Def{
	Code:     graph.OpCode(schema.RFFT2D),
	Name:     "RFFT2D",
	Operands: op.In("input", op.F32).In("fft_length", op.I32).Out("output", op.C64),
	Facts:    rfft2DFacts,
	Version:  version1,
	Since:    []string{"2.5.0"},
	Quant:    float,
	Ref: func(*op.Call) (op.Kernel, error) {
		return op.Kernel{State: func() any { return new(planes) }, Temp: planesTemp, Run: rfft2D}, nil
	},
}

func rfft2DFacts(c *op.Call) error {
	c.Out[0].DType = tensor.Complex64
	in, err := c.Shape(0)
	if err != nil {
		return err
	}
	n, err := c.Ints(1)
	if err != nil {
		return err
	}
	if len(in) < 2 || len(c.In[1].Shape) != 1 || len(n) != 2 || !powerOfTwo(n[0]) || !powerOfTwo(n[1]) {
		return fmt.Errorf("transform of lengths %v over shape %v: %w", n, in, tensor.ErrShape)
	}
	c.SetResult(0, tensor.Complex64, append(in[:len(in)-2:len(in)-2], n[0], n[1]/2+1))
	return nil
}

func powerOfTwo(n int) bool { return n > 0 && n&(n-1) == 0 }

// planes are the transforms along both axes.
type planes struct{ row, column transform }

// fftSize returns the lengths of the transform that has a result of shape s.
func fftSize(s tensor.Shape) (height, width, half int) {
	height, half = s[len(s)-2], s[len(s)-1]
	return height, max(2*(half-1), 1), half
}

// planesTemp is the memory of a plane and of a row or column, real and imaginary.
func planesTemp(_, out []tensor.Shape) (int, error) {
	height, width, half := fftSize(out[0])
	plane, err := tensor.Shape{2, height, half}.Bytes(tensor.Float64)
	if err != nil {
		return 0, err
	}
	line, err := tensor.Shape{2, max(height, width)}.Bytes(tensor.Float64)
	return plane + line, err
}

func rfft2D(r *op.Run) error {
	out := tensor.View[complex64](r.Out[0].Bytes())
	if len(out) == 0 {
		return nil
	}
	p := r.State.(*planes)
	height, width, half := fftSize(r.Out[0].Shape())
	p.row.resize(width)
	p.column.resize(height)
	temp := tensor.View[float64](r.Temp)
	re, temp := temp[:height*half], temp[height*half:]
	im, temp := temp[:height*half], temp[height*half:]
	n := max(height, width)
	lineRe, lineIm := temp[:n], temp[n:2*n]

	s, in := r.In[0].Shape(), op.F32s(r.In[0])
	rows, columns := s[len(s)-2], s[len(s)-1]
	for plane := range len(out) / (height * half) {
		if width == 1 {
			column(out[plane*height:][:height], in[plane*rows*columns:][:rows*columns], columns)
			continue
		}
		for y := range height {
			if r.Stop() {
				return op.ErrStopped
			}
			clear(lineRe[:width])
			clear(lineIm[:width])
			if y < rows {
				for x, v := range in[(plane*rows+y)*columns:][:min(columns, width)] {
					lineRe[x] = float64(v)
				}
			}
			p.row.forward(lineRe, lineIm)
			copy(re[y*half:], lineRe[:half])
			copy(im[y*half:], lineIm[:half])
		}
		for x := range half {
			if r.Stop() {
				return op.ErrStopped
			}
			for y := range height {
				lineRe[y], lineIm[y] = re[y*half+x], im[y*half+x]
			}
			p.column.forward(lineRe, lineIm)
			for y := range height {
				out[(plane*height+y)*half+x] = complex(float32(lineRe[y]), float32(lineIm[y]))
			}
		}
		markReal(out[plane*height*half:], height, half)
	}
	return nil
}

// column is what LiteRT makes of a width of 1, which is no transform: each row of the
// result holds the mean of two rows' first elements, as far from the top as from the
// end, and its negative or in the lower half itself as imaginary part.
func column(out []complex64, in []float32, columns int) {
	n := len(out)
	first := func(y int) float64 {
		if y*columns >= len(in) {
			return 0
		}
		return float64(in[y*columns])
	}
	for y := range out {
		low, high := min(y, n-y), max(y, n-y)%n
		mean := float32(first(low) - float64(0.5*(first(low)-first(high))))
		switch {
		case 2*y < n:
			out[y] = complex(mean, -mean)
		case 2*y == n:
			out[y] = complex(mean, float32(math.Copysign(0, -1)))
		default:
			out[y] = complex(mean, mean)
		}
	}
}

// markReal sets the imaginary part of the four sums that are their own conjugates to
// -0, as LiteRT does.
func markReal(out []complex64, height, half int) {
	zero := float32(math.Copysign(0, -1))
	for _, y := range [2]int{0, height / 2} {
		for _, x := range [2]int{0, half - 1} {
			out[y*half+x] = complex(real(out[y*half+x]), zero)
		}
	}
}
