package keras

import (
	"fmt"
	"maps"
	"math"

	"github.com/litequant/litequant/internal/savedmodel"
	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// value is a tensor of the graph being emitted. The shape has -1 for dimensions
// that vary.
type value struct {
	ref   savedmodel.Ref
	dtype tensor.DType
	shape tensor.Shape
}

// last returns the size of the last dimension, -1 if unknown.
func (v value) last() int {
	if len(v.shape) == 0 {
		return -1
	}
	return v.shape[len(v.shape)-1]
}

// emitter collects the nodes of a model.
type emitter struct {
	b     savedmodel.Builder
	taken map[string]int
	calls int // of layers so far
}

func newEmitter() *emitter { return &emitter{taken: map[string]int{}} }

// unique returns a node name that is not taken, numbered as TensorFlow does.
func (e *emitter) unique(name string) string {
	i, ok := e.taken[name]
	e.taken[name] = i + 1
	if !ok {
		return name
	}
	return e.unique(fmt.Sprintf("%s_%d", name, i))
}

// call is one call of a layer: it emits nodes into a graph and declares the
// layer's weights on the way.
type call struct {
	e      *emitter
	layer  *layer
	scope  string // of the names of nodes, for example sequential/dense
	in     []value
	frozen bool
	err    error
}

// fail keeps the first problem; the result stands for a value in what follows.
func (c *call) fail(err error) value {
	if c.err == nil {
		c.err = err
	}
	return value{}
}

// shapeError is fail for a shape that does not fit.
func (c *call) shapeError(format string, args ...any) value {
	return c.fail(fmt.Errorf(format+": %w", append(args, tensor.ErrShape)...))
}

// one returns the only input, which must be of at least the given rank.
func (c *call) one(rank int) (value, bool) {
	if c.err != nil {
		return value{}, false
	}
	if len(c.in) != 1 {
		c.shapeError("takes one input, got %d", len(c.in))
		return value{}, false
	}
	if len(c.in[0].shape) < rank {
		c.shapeError("takes an input of %d dimensions, got %v", rank, c.in[0].shape)
		return value{}, false
	}
	return c.in[0], true
}

// image returns the only input, which must be of four dimensions (NHWC) with a
// known number of channels.
func (c *call) image() (value, bool) {
	x, ok := c.one(4)
	if ok && (len(x.shape) != 4 || x.shape[3] <= 0) {
		c.shapeError("takes images of 4 dimensions with a known number of channels, got %v", x.shape)
		return x, false
	}
	return x, ok
}

// attrs are the attributes of a node besides T, the type of its first input.
type attrs map[string]*pb.AttrValue

func floatAttr(v float32) *pb.AttrValue {
	return &pb.AttrValue{Value: &pb.AttrValue_F{F: v}}
}

func intAttr(v int) *pb.AttrValue {
	return &pb.AttrValue{Value: &pb.AttrValue_I{I: int64(v)}}
}

// maxDim bounds dimensions, so that sums of them do not overflow.
const maxDim = min(1<<40, math.MaxInt/64)

// op emits a node named name in the layer's scope whose result has the given
// shape and its first input's type.
func (c *call) op(name, op string, shape tensor.Shape, a attrs, inputs ...value) value {
	if c.err != nil || len(inputs) == 0 {
		return value{}
	}
	for _, d := range shape {
		if d > maxDim {
			return c.fail(fmt.Errorf("result of shape %v: %w", shape, tensor.ErrLimit))
		}
	}
	all := map[string]*pb.AttrValue{"T": savedmodel.TypeAttr(inputs[0].dtype)}
	maps.Copy(all, a)
	refs := make([]savedmodel.Ref, len(inputs))
	for i, v := range inputs {
		refs[i] = v.ref
	}
	ref := c.e.b.Op(c.node(name), op, all, refs...)
	return value{ref, inputs[0].dtype, shape}
}

func (c *call) node(name string) string { return c.e.unique(c.scope + "/" + name) }

// same is op for functions whose result has the shape of their first input.
func (c *call) same(name, op string, inputs ...value) value {
	return c.op(name, op, inputs[0].shape, nil, inputs...)
}

// constant emits a constant.
func (c *call) constant(name string, t tensor.Tensor) value {
	return value{c.e.b.Const(c.node(name), t), t.DType(), t.Shape()}
}

// scalar emits a float constant.
func (c *call) scalar(name string, v float32) value {
	t, err := tensor.Of(tensor.Shape{}, v)
	if err != nil {
		return c.fail(err)
	}
	return c.constant(name, t)
}

// ints emits a constant of int32s.
func (c *call) ints(name string, s tensor.Shape, v ...int) value {
	w := make([]int32, len(v))
	for i := range v {
		w[i] = int32(v[i])
	}
	t, err := tensor.Of(s, w...)
	if err != nil {
		return c.fail(err)
	}
	return c.constant(name, t)
}

// reshape emits a Reshape to a shape with at most one unknown dimension.
func (c *call) reshape(name string, x value, s tensor.Shape) value {
	unknown := 0
	for _, d := range s {
		if d < 0 {
			unknown++
		}
	}
	if unknown > 1 {
		return c.shapeError("more than one dimension of %v is unknown", s)
	}
	dims := c.ints(name+"/shape", tensor.Shape{len(s)}, s...)
	return c.op(name, "Reshape", s, attrs{"Tshape": savedmodel.TypeAttr(tensor.Int32)}, x, dims)
}

// weightSpec declares a weight.
type weightSpec struct {
	name  string
	shape tensor.Shape
	init  Initializer
	fixed bool // not changed by gradients, for example a moving mean
	// whole marks a name that is not to be prefixed with the layer's; value is the
	// weight's initial value if it does not come from init.
	whole bool
	value tensor.Tensor
}

// weight emits the read of a weight as node name.
func (c *call) weight(node string, s weightSpec) value {
	if c.err != nil {
		return value{}
	}
	if !s.shape.Known() {
		return c.shapeError("the shape of weight %s follows from an unknown dimension: %v", s.name, s.shape)
	}
	w, err := c.layer.weight(s, c.frozen)
	if err != nil {
		return c.fail(err)
	}
	ref := c.e.b.ReadVariable(c.node(node), w.variable)
	v := w.Value
	c.e.b.Graph().Nodes[ref.Node].Value = &v
	return value{ref, w.variable.DType, s.shape}
}

// bias adds a weight named bias along the last dimension.
func (c *call) bias(x value, init Initializer) value {
	b := c.weight("BiasAdd/ReadVariableOp", weightSpec{name: "bias", shape: tensor.Shape{x.last()}, init: init.or(Zeros)})
	return c.op("BiasAdd", "BiasAdd", x.shape, attrs{"data_format": savedmodel.StringAttr("NHWC")}, x, b)
}

// withLast returns the shape with another last dimension.
func withLast(s tensor.Shape, last int) tensor.Shape {
	out := s.Clone()
	out[len(out)-1] = last
	return out
}
