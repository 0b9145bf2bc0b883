package train

import (
	"math/rand/v2"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// netBuilder strings layers together with random weights.
type netBuilder struct {
	s   *graph.Subgraph
	at  graph.ValueID
	rng *rand.Rand
}

func newNet(seed uint64, input ...int) *netBuilder {
	b := &netBuilder{s: &graph.Subgraph{Name: "main"}, rng: rand.New(rand.NewPCG(seed, 0))}
	v := graph.Value{Name: "x", DType: tensor.Float32}
	v.SetPartial(append(tensor.Shape{-1}, input...))
	b.at = b.s.Add(v)
	b.s.Inputs = []graph.ValueID{b.at}
	return b
}

func (b *netBuilder) weight(name string, trainable bool, scale float32, shape ...int) graph.ValueID {
	n, _ := tensor.Shape(shape).Elems()
	v := make([]float32, n)
	for i := range v {
		v[i] = scale * float32(b.rng.NormFloat64())
	}
	return b.s.Add(graph.Value{
		Name: name, DType: tensor.Float32, Shape: shape, Const: tensor.BytesOf(v),
		Param: &graph.Param{Name: name, Trainable: trainable, Shape: shape},
	})
}

func (b *netBuilder) node(code schema.BuiltinOperator, options any, shape tensor.Shape, in ...graph.ValueID) {
	v := graph.Value{Name: code.String(), DType: tensor.Float32}
	v.SetPartial(shape)
	out := b.s.Add(v)
	b.s.Nodes = append(b.s.Nodes, graph.Node{Op: graph.OpCode(code), Options: options, Inputs: append([]graph.ValueID{b.at}, in...), Outputs: []graph.ValueID{out}})
	b.at = out
}

func (b *netBuilder) conv(name string, k, filters int, trainable bool) *netBuilder {
	s := b.s.Values[b.at].Partial()
	w := b.weight(name+"/w", trainable, 1/float32(k*s[3]), filters, k, k, s[3])
	bias := b.weight(name+"/b", trainable, 0.1, filters)
	b.node(schema.CONV_2D, &fb.Conv2DOptionsT{StrideW: 1, StrideH: 1, DilationWFactor: 1, DilationHFactor: 1,
		FusedActivationFunction: fb.ActivationFunctionTypeRELU}, tensor.Shape{-1, s[1], s[2], filters}, w, bias)
	return b
}

func (b *netBuilder) maxPool() *netBuilder {
	s := b.s.Values[b.at].Partial()
	b.node(schema.MAX_POOL_2D, &fb.Pool2DOptionsT{StrideW: 2, StrideH: 2, FilterWidth: 2, FilterHeight: 2},
		tensor.Shape{-1, (s[1] + 1) / 2, (s[2] + 1) / 2, s[3]})
	return b
}

func (b *netBuilder) flatten() *netBuilder {
	s := b.s.Values[b.at].Partial()
	n := s[1] * s[2] * s[3]
	b.node(schema.RESHAPE, &fb.ReshapeOptionsT{NewShape: []int32{-1, int32(n)}}, tensor.Shape{-1, n})
	return b
}

func (b *netBuilder) dense(name string, units int, act fb.ActivationFunctionType, trainable bool) *netBuilder {
	k := b.s.Values[b.at].Partial()[1]
	w := b.weight(name+"/w", trainable, 1/float32(k), units, k)
	bias := b.weight(name+"/b", trainable, 0.1, units)
	b.node(schema.FULLY_CONNECTED, &fb.FullyConnectedOptionsT{FusedActivationFunction: act}, tensor.Shape{-1, units}, w, bias)
	return b
}

func (b *netBuilder) softmax() *graph.Model {
	b.node(schema.SOFTMAX, &fb.SoftmaxOptionsT{Beta: 1}, b.s.Values[b.at].Partial())
	b.s.Outputs = []graph.ValueID{b.at}
	return &graph.Model{Subgraphs: []*graph.Subgraph{b.s}}
}
