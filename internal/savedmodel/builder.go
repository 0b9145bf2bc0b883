package savedmodel

import (
	"fmt"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

// TypeAttr makes an attribute that holds an element type.
func TypeAttr(d tensor.DType) *pb.AttrValue {
	return &pb.AttrValue{Value: &pb.AttrValue_Type{Type: ProtoType(d)}}
}

// IntsAttr makes an attribute that holds a list of integers.
func IntsAttr(v ...int) *pb.AttrValue {
	l := &pb.AttrValue_ListValue{}
	for _, i := range v {
		l.I = append(l.I, int64(i))
	}
	return &pb.AttrValue{Value: &pb.AttrValue_List{List: l}}
}

// StringAttr makes an attribute that holds a string.
func StringAttr(s string) *pb.AttrValue {
	return &pb.AttrValue{Value: &pb.AttrValue_S{S: []byte(s)}}
}

// BoolAttr makes an attribute that holds a bool.
func BoolAttr(v bool) *pb.AttrValue { return &pb.AttrValue{Value: &pb.AttrValue_B{B: v}} }

// Builder makes a Graph for Write. Its methods append a node named name and
// return its first output. Names need not be unique. Images are NHWC, filters
// HWIO.
type Builder struct{ g Graph }

// Graph returns the graph made so far.
func (b *Builder) Graph() *Graph { return &b.g }

// Input adds an input; inputs come before all other nodes. -1 stands for
// unknown dimensions.
func (b *Builder) Input(name string, d tensor.DType, s tensor.Shape) Ref {
	r := b.add(&Node{Name: name, Op: opPlaceholder, Attrs: map[string]*pb.AttrValue{
		"dtype": TypeAttr(d), "shape": {Value: &pb.AttrValue_Shape{Shape: shapeProto(s)}},
	}})
	b.g.Inputs = append(b.g.Inputs, Port{Name: name, DType: d, Shape: s, Ref: r})
	return r
}

// Output names a value of type d and shape s as an output of the graph.
func (b *Builder) Output(name string, r Ref, d tensor.DType, s tensor.Shape) {
	b.g.Outputs = append(b.g.Outputs, Port{Name: name, DType: d, Shape: s, Ref: r})
}

// ReadVariable adds the value of a variable, which Write finds by its pointer.
func (b *Builder) ReadVariable(name string, v *Variable) Ref {
	return b.add(&Node{Name: name, Op: opConst, Variable: v, Attrs: map[string]*pb.AttrValue{"dtype": TypeAttr(v.DType)}})
}

// Const adds a constant.
func (b *Builder) Const(name string, t tensor.Tensor) Ref {
	return b.add(&Node{Name: name, Op: opConst, Value: &t, Attrs: map[string]*pb.AttrValue{"dtype": TypeAttr(t.DType())}})
}

// Op adds any operation. Attributes that have no default must be among attrs.
func (b *Builder) Op(name, op string, attrs map[string]*pb.AttrValue, inputs ...Ref) Ref {
	return b.add(&Node{Name: name, Op: op, Attrs: attrs, Inputs: inputs})
}

// MatMul multiplies two float matrices.
func (b *Builder) MatMul(name string, x, w Ref) Ref { return b.float(name, "MatMul", x, w) }

// BiasAdd adds a vector along the last dimension of a float tensor.
func (b *Builder) BiasAdd(name string, x, bias Ref) Ref { return b.float(name, "BiasAdd", x, bias) }

// Relu is max(x, 0) of a float tensor.
func (b *Builder) Relu(name string, x Ref) Ref { return b.float(name, "Relu", x) }

// Softmax normalizes the last dimension of a float tensor.
func (b *Builder) Softmax(name string, x Ref) Ref { return b.float(name, "Softmax", x) }

// Identity gives a float tensor another name.
func (b *Builder) Identity(name string, x Ref) Ref { return b.float(name, "Identity", x) }

// Conv2D convolves a float image with a filter; padding is SAME or VALID.
func (b *Builder) Conv2D(name string, x, filter Ref, strideH, strideW int, padding string) Ref {
	return b.Op(name, "Conv2D", map[string]*pb.AttrValue{
		"T": TypeAttr(tensor.Float32), "strides": IntsAttr(1, strideH, strideW, 1), "padding": StringAttr(padding),
	}, x, filter)
}

// MaxPool takes the maximum over windows of a float image.
func (b *Builder) MaxPool(name string, x Ref, sizeH, sizeW, strideH, strideW int, padding string) Ref {
	return b.Op(name, "MaxPool", map[string]*pb.AttrValue{
		"T": TypeAttr(tensor.Float32), "ksize": IntsAttr(1, sizeH, sizeW, 1), "strides": IntsAttr(1, strideH, strideW, 1),
		"padding": StringAttr(padding),
	}, x)
}

// Reshape gives a float tensor another shape; one dimension may be -1. The shape
// is a constant named name/shape.
func (b *Builder) Reshape(name string, x Ref, shape tensor.Shape) Ref {
	v := make([]int32, len(shape))
	for i, d := range shape {
		v[i] = int32(d)
	}
	t, err := tensor.Of(tensor.Shape{len(v)}, v...)
	if err != nil {
		panic(fmt.Sprintf("savedmodel: a shape of %d dimensions: %v", len(v), err)) // cannot happen
	}
	return b.Op(name, "Reshape", map[string]*pb.AttrValue{
		"T": TypeAttr(tensor.Float32), "Tshape": TypeAttr(tensor.Int32),
	}, x, b.Const(name+"/shape", t))
}

func (b *Builder) float(name, op string, inputs ...Ref) Ref {
	return b.Op(name, op, map[string]*pb.AttrValue{"T": TypeAttr(tensor.Float32)}, inputs...)
}

func (b *Builder) add(n *Node) Ref {
	b.g.Nodes = append(b.g.Nodes, n)
	return Ref{Node: len(b.g.Nodes) - 1}
}
