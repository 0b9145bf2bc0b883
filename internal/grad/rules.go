package grad

import (
	"math"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/shape"
	"github.com/litequant/litequant/op/training"
)

// Rules is the table of gradients by operator. Operators that are not in it have
// no gradient, or none that a network needs: the package's tests say which and why.
var Rules = map[graph.OpCode]Rule{
	graph.OpCode(schema.CONV_2D):           conv2D,
	graph.OpCode(schema.DEPTHWISE_CONV_2D): conv2D,
	graph.OpCode(schema.TRANSPOSE_CONV):    transposeConv,
	graph.OpCode(schema.FULLY_CONNECTED):   fullyConnected,
	graph.OpCode(schema.BATCH_MATMUL):      batchMatMul,
	graph.OpCode(schema.MAX_POOL_2D):       maxPool,
	graph.OpCode(schema.AVERAGE_POOL_2D):   averagePool,

	graph.OpCode(schema.RELU):         clamp(0, float32(math.Inf(1))),
	graph.OpCode(schema.RELU6):        clamp(0, 6),
	graph.OpCode(schema.RELU_N1_TO_1): clamp(-1, 1),
	graph.OpCode(schema.RELU_0_TO_1):  clamp(0, 1),
	graph.OpCode(schema.SOFTMAX):      softmax,
	graph.OpCode(schema.LOG_SOFTMAX):  unary(logSoftmax),
	graph.OpCode(schema.LOGISTIC):     unary(logistic),
	graph.OpCode(schema.TANH):         unary(tanh),
	graph.OpCode(schema.ELU):          unary(elu),
	graph.OpCode(schema.HARD_SWISH):   unary(hardSwish),
	graph.OpCode(schema.LEAKY_RELU):   leakyRelu,
	graph.OpCode(schema.PRELU):        prelu,
	graph.OpCode(schema.GELU):         gelu,

	graph.OpCode(schema.ABS):    unary(abs),
	graph.OpCode(schema.NEG):    unary(func(b *Builder, _, _, dy graph.ValueID) graph.ValueID { return b.Negative(dy) }),
	graph.OpCode(schema.EXP):    unary(func(b *Builder, _, y, dy graph.ValueID) graph.ValueID { return b.Product(dy, y) }),
	graph.OpCode(schema.LOG):    unary(func(b *Builder, x, _, dy graph.ValueID) graph.ValueID { return b.Quotient(dy, x) }),
	graph.OpCode(schema.SQUARE): unary(square),
	graph.OpCode(schema.SQRT):   unary(sqrt),
	graph.OpCode(schema.RSQRT):  unary(rsqrt),
	graph.OpCode(schema.SIN):    unary(sin),
	graph.OpCode(schema.COS):    unary(cos),
	graph.OpCode(schema.CAST):   unary(func(_ *Builder, _, _, dy graph.ValueID) graph.ValueID { return dy }),
	graph.OpCode(schema.FLOOR):  flat,
	graph.OpCode(schema.CEIL):   flat,
	graph.OpCode(schema.ROUND):  flat,
	graph.OpCode(schema.SIGN):   flat,

	graph.OpCode(schema.ADD):                add,
	graph.OpCode(schema.SUB):                sub,
	graph.OpCode(schema.MUL):                mul,
	graph.OpCode(schema.DIV):                div,
	graph.OpCode(schema.POW):                pow,
	graph.OpCode(schema.ADD_N):              addN,
	graph.OpCode(schema.MAXIMUM):            extremum(schema.GREATER_EQUAL),
	graph.OpCode(schema.MINIMUM):            extremum(schema.LESS_EQUAL),
	graph.OpCode(schema.SQUARED_DIFFERENCE): squaredDifference,
	graph.OpCode(schema.SELECT):             choose(schema.SELECT),
	graph.OpCode(schema.SELECT_V2):          choose(schema.SELECT_V2),

	graph.OpCode(schema.MEAN):       reduction(true),
	graph.OpCode(schema.SUM):        reduction(false),
	graph.OpCode(schema.REDUCE_MAX): extreme,
	graph.OpCode(schema.REDUCE_MIN): extreme,
	graph.OpCode(schema.CUMSUM):     cumsum,

	graph.OpCode(schema.RESHAPE):                 reshape,
	graph.OpCode(schema.SQUEEZE):                 reshape,
	graph.OpCode(schema.EXPAND_DIMS):             reshape,
	graph.OpCode(schema.TRANSPOSE):               transpose,
	graph.OpCode(schema.CONCATENATION):           concatenation,
	graph.OpCode(schema.SPLIT):                   split(1, 0),
	graph.OpCode(schema.SPLIT_V):                 split(0, 2),
	graph.OpCode(schema.PACK):                    pack,
	graph.OpCode(schema.UNPACK):                  unpack,
	graph.OpCode(schema.PAD):                     pad,
	graph.OpCode(schema.PADV2):                   pad,
	graph.OpCode(schema.SLICE):                   moved(shape.Slice),
	graph.OpCode(schema.STRIDED_SLICE):           moved(shape.StridedSlice),
	graph.OpCode(schema.GATHER):                  moved(shape.Gather),
	graph.OpCode(schema.GATHER_ND):               moved(shape.GatherND),
	graph.OpCode(schema.MIRROR_PAD):              moved(shape.MirrorPad),
	graph.OpCode(schema.TILE):                    moved(shape.Tile),
	graph.OpCode(schema.BROADCAST_TO):            moved(shape.BroadcastTo),
	graph.OpCode(schema.REVERSE_V2):              moved(shape.ReverseV2),
	graph.OpCode(schema.REVERSE_SEQUENCE):        moved(shape.ReverseSequence),
	graph.OpCode(schema.SPACE_TO_DEPTH):          moved(shape.SpaceToDepth),
	graph.OpCode(schema.DEPTH_TO_SPACE):          moved(shape.DepthToSpace),
	graph.OpCode(schema.SPACE_TO_BATCH_ND):       moved(shape.SpaceToBatchND),
	graph.OpCode(schema.BATCH_TO_SPACE_ND):       moved(shape.BatchToSpaceND),
	graph.OpCode(schema.RESIZE_NEAREST_NEIGHBOR): moved(shape.ResizeNearest),

	training.DropoutStepCode:   dropout,
	training.BatchNormStepCode: batchNorm,
}

// unary is the rule of an operator of one operand: f makes dx.
func unary(f func(b *Builder, x, y, dy graph.ValueID) graph.ValueID) Rule {
	return func(b *Builder, n *graph.Node, dy []graph.ValueID) ([]graph.ValueID, error) {
		return []graph.ValueID{f(b, n.Inputs[0], n.Outputs[0], dy[0])}, nil
	}
}

// flat is the rule of step functions.
func flat(_ *Builder, n *graph.Node, _ []graph.ValueID) ([]graph.ValueID, error) {
	return only(n, 0, graph.None), nil
}

// only is the answer of rules in which no operand but the k-th has a gradient.
func only(n *graph.Node, k int, g graph.ValueID) []graph.ValueID {
	out := make([]graph.ValueID, len(n.Inputs))
	for i := range out {
		out[i] = graph.None
	}
	out[k] = g
	return out
}

// wantedOnly builds the gradients of those operands that need one.
func (b *Builder) wantedOnly(n *graph.Node, of func(k int) graph.ValueID) []graph.ValueID {
	out := only(n, 0, graph.None)
	for k, v := range n.Inputs {
		if b.Wants(v) {
			out[k] = of(k)
		}
	}
	return out
}

// beforeActivation takes a gradient back through a node's fused activation.
func (b *Builder) beforeActivation(n *graph.Node, act fb.ActivationFunctionType, dy graph.ValueID) (graph.ValueID, error) {
	if act == fb.ActivationFunctionTypeNONE {
		return dy, nil
	}
	lo, hi := op.FloatRange(act)
	return b.clamped(n.Outputs[0], dy, lo, hi), nil
}

// clamped passes dy where lo < y < hi.
func (b *Builder) clamped(y, dy graph.ValueID, lo, hi float32) graph.ValueID {
	return b.Node(training.ClampGradCode, &training.Clamp{Lo: lo, Hi: hi}, y, dy)
}

// Product returns x·y.
func (b *Builder) Product(x, y graph.ValueID) graph.ValueID {
	return b.Of(schema.MUL, &fb.MulOptionsT{}, x, y)
}

// Quotient returns x/y.
func (b *Builder) Quotient(x, y graph.ValueID) graph.ValueID {
	return b.Of(schema.DIV, &fb.DivOptionsT{}, x, y)
}

// Difference returns x − y.
func (b *Builder) Difference(x, y graph.ValueID) graph.ValueID {
	return b.Of(schema.SUB, &fb.SubOptionsT{}, x, y)
}

// Negative returns −x.
func (b *Builder) Negative(x graph.ValueID) graph.ValueID { return b.Of(schema.NEG, nil, x) }

// Scaled returns factor·x.
func (b *Builder) Scaled(x graph.ValueID, factor float32) graph.ValueID {
	return b.Product(x, b.Constant(factor))
}

func (b *Builder) square(x graph.ValueID) graph.ValueID { return b.Of(schema.SQUARE, nil, x) }
