package shape

import (
	"fmt"
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/fixed"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

const nearestTypes = op.F32 | op.F16 | op.BF16 | op.I8 | op.U8 | op.I16 | op.U16 | op.I32 | op.U32 | op.B

// ResizeBilinear is RESIZE_BILINEAR: [N,H,W,C] to the height and width that
// operand 1 names, between the four nearest pixels.
var ResizeBilinear = &op.Def{
	Code:     graph.OpCode(schema.RESIZE_BILINEAR),
	Name:     "RESIZE_BILINEAR",
	Operands: op.In("input", op.F32|op.Quants).In("size", op.I32).Out("output", op.F32|op.Quants).As(0),
	Facts:    func(c *op.Call) error { return resizeFacts(c, 1) },
	Version:  resizeVersion,
	Since:    []string{"1.7.0", "1.14.0", "2.2.0", "2.5.0"},
	Quant:    op.SameScale(0),
	Ref: op.ByType(0, map[tensor.DType]op.Maker{
		tensor.Float32: bilinearFloat[float32](0), tensor.UInt8: bilinearFloat[uint8](0.5),
		tensor.Int8: bilinearInt[int8], tensor.Int16: bilinearInt[int16],
	}),
}

// ResizeNearest is RESIZE_NEAREST_NEIGHBOR: [N,H,W,C] to the height and width
// that operand 1 names, each pixel the nearest one.
var ResizeNearest = &op.Def{
	Code:     graph.OpCode(schema.RESIZE_NEAREST_NEIGHBOR),
	Name:     "RESIZE_NEAREST_NEIGHBOR",
	Operands: op.In("input", nearestTypes).In("size", op.I32).Out("output", nearestTypes).As(0),
	Facts:    func(c *op.Call) error { return resizeFacts(c, 0) },
	Version:  resizeVersion,
	Since:    []string{"1.13.1", "1.14.0", "2.3.0", "2.4.0"},
	Quant:    op.SameScale(0),
	Ref:      nearest,
}

// sampling is how output positions map to input positions.
type sampling struct{ alignCorners, halfPixel bool }

func samplingOf(n *graph.Node) sampling {
	switch o := n.Options.(type) {
	case *fb.ResizeBilinearOptionsT:
		return sampling{o.AlignCorners, o.HalfPixelCenters}
	case *fb.ResizeNearestNeighborOptionsT:
		return sampling{o.AlignCorners, o.HalfPixelCenters}
	}
	return sampling{}
}

func resizeVersion(c *op.Call) int {
	s := samplingOf(c.Node)
	nearest := c.Node.Op == graph.OpCode(schema.RESIZE_NEAREST_NEIGHBOR)
	switch d := c.In[0].DType; {
	case s.halfPixel || nearest && s.alignCorners:
		return 3
	case d == tensor.Int8, d == tensor.Int16: // written 16x8 files carry the int8 version
		return 2
	}
	return 1
}

// resizeFacts is the shape rule of both; least is the smallest size.
func resizeFacts(c *op.Call, least int) error {
	in, err := ranked(c, 0)
	if err != nil {
		return err
	}
	size, err := vector(c, 1, 2)
	if err != nil {
		return err
	}
	if len(in) != 4 || min(size[0], size[1]) < least || in[1] == 0 || in[2] == 0 {
		return fmt.Errorf("shape %v resized to %v: %w", in, size, tensor.ErrShape)
	}
	result(c, 0, 0, tensor.Shape{in[0], size[0], size[1], in[3]})
	return nil
}

// nearest takes ResizeNearestNeighbor's float32 positions.
func nearest(c *op.Call) (op.Kernel, error) {
	s := samplingOf(c.Node)
	return mover(func(r *op.Run) error {
		in, out := r.In[0].Shape(), r.Out[0].Shape()
		pixel := in[3] * r.Out[0].DType().Size()
		dst, src := r.Out[0].Bytes(), r.In[0].Bytes()
		for row := range out[0] * out[1] {
			if r.Stop() {
				return op.ErrStopped
			}
			y := row/out[1]*in[1] + s.nearest(row%out[1], in[1], out[1])
			for x := range out[2] {
				at := (y*in[2] + s.nearest(x, in[2], out[2])) * pixel
				copy(dst[:pixel], src[at:at+pixel])
				dst = dst[pixel:]
			}
		}
		return nil
	})(c)
}

func (s sampling) nearest(v, in, out int) int {
	scale := float32(in) / float32(out)
	if s.alignCorners && out > 1 {
		scale = float32(in-1) / float32(out-1)
	}
	offset := float32(0)
	if s.halfPixel {
		offset = 0.5
	}
	at := (float32(v) + offset) * scale
	if s.alignCorners {
		at = fixed.Round(at)
	}
	return min(max(int(math.Floor(float64(at))), 0), in-1)
}

// bilinearFloat weighs in float32; rounding is added before integers truncate.
func bilinearFloat[T float32 | uint8](rounding float32) op.Maker {
	return func(c *op.Call) (op.Kernel, error) {
		s := samplingOf(c.Node)
		return op.Kernel{Run: func(r *op.Run) error {
			in, out := r.In[0].Shape(), r.Out[0].Shape()
			src, dst := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.Out[0].Bytes())
			scaleY, scaleX := s.scale(in[1], out[1]), s.scale(in[2], out[2])
			return eachPixel(r, func(image, y, x, to int) {
				y0, y1, dy := s.between(y, in[1], scaleY)
				x0, x1, dx := s.between(x, in[2], scaleX)
				q := corners(in, image, y0, y1, x0, x1)
				for k := range in[3] {
					v := float32(float32(float32(src[q[0]+k])*(1-dy)) * (1 - dx))
					v += float32(float32(float32(src[q[1]+k])*dy) * (1 - dx))
					v += float32(float32(float32(src[q[2]+k])*(1-dy)) * dx)
					v += float32(float32(float32(src[q[3]+k])*dy) * dx)
					dst[to+k] = T(v + rounding)
				}
			})
		}}, nil
	}
}

func (s sampling) scale(in, out int) float32 {
	if s.alignCorners && out > 1 {
		return float32(in-1) / float32(out-1)
	}
	return float32(in) / float32(out)
}

// between returns the neighbours of position v and its distance from the lower.
func (s sampling) between(v, in int, scale float32) (lower, upper int, d float32) {
	at := float32(v) * scale
	if s.halfPixel {
		at = float32((float32(v)+0.5)*scale) - 0.5
	}
	lower = min(max(int(math.Floor(float64(at))), 0), in-1)
	upper = min(int(math.Ceil(float64(at))), in-1)
	return lower, upper, at - float32(lower)
}

// eachPixel calls f with each output pixel: its image, position and first
// element.
func eachPixel(r *op.Run, f func(image, y, x, to int)) error {
	out, to := r.Out[0].Shape(), 0
	for image := range out[0] {
		for y := range out[1] {
			if r.Stop() {
				return op.ErrStopped
			}
			for x := range out[2] {
				f(image, y, x, to)
				to += out[3]
			}
		}
	}
	return nil
}

// corners returns the first elements of pixels (y0,x0), (y1,x0), (y0,x1), (y1,x1).
func corners(in tensor.Shape, image, y0, y1, x0, x1 int) [4]int {
	top, bottom := (image*in[1]+y0)*in[2], (image*in[1]+y1)*in[2]
	return [4]int{(top + x0) * in[3], (bottom + x0) * in[3], (top + x1) * in[3], (bottom + x1) * in[3]}
}

// bilinearInt weighs with 10 bits an axis.
func bilinearInt[T int8 | int16](c *op.Call) (op.Kernel, error) {
	s := samplingOf(c.Node)
	return op.Kernel{Run: func(r *op.Run) error {
		in, out := r.In[0].Shape(), r.Out[0].Shape()
		src, dst := tensor.View[T](r.In[0].Bytes()), tensor.View[T](r.Out[0].Bytes())
		scaleY, scaleX := s.scale10(in[1], out[1]), s.scale10(in[2], out[2])
		return eachPixel(r, func(image, y, x, to int) {
			y0, y1, dy := s.between10(y, in[1], scaleY)
			x0, x1, dx := s.between10(x, in[2], scaleX)
			q := corners(in, image, y0, y1, x0, x1)
			for k := range in[3] {
				sum := int64(src[q[0]+k])*(1024-dy)*(1024-dx) + int64(src[q[1]+k])*dy*(1024-dx) +
					int64(src[q[2]+k])*(1024-dy)*dx + int64(src[q[3]+k])*dy*dx
				if sum > 0 {
					sum += 1 << 19
				} else {
					sum -= 1 << 19
				}
				dst[to+k] = T(sum / (1 << 20))
			}
		})
	}}, nil
}

func (s sampling) scale10(in, out int) int {
	if s.alignCorners && out > 1 {
		in, out = in-1, out-1
	}
	return (in<<10 + out/2) / out
}

func (s sampling) between10(v, in, scale int) (lower, upper int, d int64) {
	at := v * scale
	if s.halfPixel {
		at += scale/2 - 1<<9
	}
	lower = min(max(at/1024, 0), in-1)
	upper = min((at+1023)/1024, in-1)
	return lower, upper, int64(at - lower*1024)
}
