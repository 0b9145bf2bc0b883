package engine_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/litequant/litequant/conformance"
	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tflite"
)

// A mutation damages a model. It returns false where it does not apply.
type mutation struct {
	name  string
	apply func(m *fb.ModelT) bool
	// place is what the refusal says; "" where a model may survive.
	place string
}

var mutations = []mutation{
	{"operand out of range", firstOperand(math.MaxInt32), `subgraph 0 "`},
	{"operand -2", firstOperand(-2), "operand 0: tensor -2 does not exist"},
	{"operand before its time", func(m *fb.ModelT) bool { return len(node0(m).Outputs) > 0 && firstOperand(node0(m).Outputs[0])(m) }, "is read before it is computed"},
	{"result out of range", firstResult(math.MaxInt32), "node 0: result 0: tensor 2147483647 does not exist"},
	{"result in the place of an input", func(m *fb.ModelT) bool {
		return len(m.Subgraphs[0].Inputs) > 0 && firstResult(m.Subgraphs[0].Inputs[0])(m)
	}, "is an input, a constant or already computed"},
	{"a result twice", func(m *fb.ModelT) bool {
		n := node0(m)
		n.Outputs = slices.Repeat(n.Outputs, 2)
		return len(n.Outputs) > 0
	}, "is an input, a constant or already computed"},
	{"input out of range", func(m *fb.ModelT) bool { m.Subgraphs[0].Inputs = append(m.Subgraphs[0].Inputs, 1<<20); return true }, "tensor 1048576 does not exist"},
	{"output out of range", func(m *fb.ModelT) bool { m.Subgraphs[0].Outputs = append(m.Subgraphs[0].Outputs, -1); return true }, "tensor -1 does not exist"},
	{"intermediate out of range", func(m *fb.ModelT) bool { node0(m).Intermediates = []int32{-7}; return true }, "node 0: intermediate 0: tensor -7"},
	{"no operands", func(m *fb.ModelT) bool {
		n := node0(m)
		ok := len(n.Inputs) > 0
		n.Inputs = nil
		return ok && !anyOperands(m)
	}, `subgraph 0 "`},
	{"a hundred operands", func(m *fb.ModelT) bool {
		n := node0(m)
		for len(n.Inputs) > 0 && len(n.Inputs) < 100 {
			n.Inputs = append(n.Inputs, n.Inputs[0])
		}
		return len(n.Inputs) > 0
	}, ""},
	{"all operands absent", func(m *fb.ModelT) bool {
		for i := range node0(m).Inputs {
			node0(m).Inputs[i] = -1
		}
		return len(node0(m).Inputs) > 0 && !anyOperands(m)
	}, `subgraph 0 "`},
	{"no results", func(m *fb.ModelT) bool { node0(m).Outputs = nil; return true }, ""},
	{"ten results", func(m *fb.ModelT) bool {
		g := m.Subgraphs[0]
		for range 10 {
			node0(m).Outputs = append(node0(m).Outputs, int32(len(g.Tensors)))
			g.Tensors = append(g.Tensors, &fb.TensorT{Name: "more"})
		}
		return true
	}, ""},
	{"operator code out of range", func(m *fb.ModelT) bool { node0(m).OpcodeIndex = math.MaxUint32; return true }, `subgraph 0 "`},
	{"unknown operator", func(m *fb.ModelT) bool { m.OperatorCodes[0].BuiltinCode = 9999; return true }, "node 0"},
	{"version 0", func(m *fb.ModelT) bool { m.OperatorCodes[0].Version = 0; return true }, "version 0"},
	{"no options", func(m *fb.ModelT) bool {
		n := node0(m)
		n.BuiltinOptions, n.BuiltinOptions2, n.CustomOptions = nil, nil, nil
		return true
	}, ""},
	{"another operator's options", func(m *fb.ModelT) bool {
		node0(m).BuiltinOptions = schema.DefaultOptions(fb.BuiltinOptionsBidirectionalSequenceRNNOptions)
		return true
	}, ""},
	{"damaged custom options", func(m *fb.ModelT) bool {
		c := bytes.Clone(node0(m).CustomOptions)
		for i := range c {
			c[i] ^= 0x81
		}
		node0(m).CustomOptions = c
		return len(c) > 0
	}, ""},
	{"another operator", func(m *fb.ModelT) bool {
		m.OperatorCodes[0].BuiltinCode = schema.UNIDIRECTIONAL_SEQUENCE_LSTM
		return true
	}, ""},
	{"buffer out of range", func(m *fb.ModelT) bool { tensor0(m).Buffer = math.MaxUint32; return true }, "buffer 4294967295 of"},
	{"constant outside the file", func(m *fb.ModelT) bool {
		for _, b := range m.Buffers {
			if len(b.Data) > 0 {
				b.Data, b.Offset, b.Size = nil, 1<<62, 1<<62
				return true
			}
		}
		return false
	}, "outside the file"},
	{"negative dimension", func(m *fb.ModelT) bool { tensor0(m).Shape = []int32{2, -5}; return true }, `subgraph 0 "`},
	{"dimension below -1 in the signature", func(m *fb.ModelT) bool { tensor0(m).ShapeSignature = []int32{-2}; return true }, "dimension -2"},
	{"signature of another rank", func(m *fb.ModelT) bool {
		tensor0(m).ShapeSignature = make([]int32, len(tensor0(m).Shape)+1)
		return true
	}, "differ in rank"},
	{"huge dimensions", shapes(func([]int32) []int32 { return []int32{math.MaxInt32, math.MaxInt32, math.MaxInt32} }), ""},
	{"huge dimensions and none", shapes(func([]int32) []int32 { return []int32{0, math.MaxInt32, math.MaxInt32} }), ""},
	{"one long dimension", shapes(func(s []int32) []int32 {
		s = append([]int32{}, s...)
		if len(s) > 0 {
			s[len(s)-1] = 1 << 20
		}
		return s
	}), ""},
	{"scalars", shapes(func([]int32) []int32 { return []int32{} }), ""},
	{"no elements", shapes(func(s []int32) []int32 { return make([]int32, len(s)) }), ""},
	{"rank 9", shapes(func(s []int32) []int32 { return append([]int32{1, 1, 1, 1, 1, 1, 1, 1, 1}, s...) }), ""},
	{"rank 1000", shapes(func([]int32) []int32 { return bytesOf(1000, 1) }), ""},
	{"unknown dimensions", func(m *fb.ModelT) bool {
		for _, v := range m.Subgraphs[0].Tensors {
			v.ShapeSignature = bytesOf(len(v.Shape), -1)
		}
		return true
	}, ""},
	{"constants longer than they are", func(m *fb.ModelT) bool {
		return eachConst(m, func(v *fb.TensorT, b *fb.BufferT) { v.Shape = append([]int32{2}, v.Shape...) })
	}, "takes"},
	{"constants of zeros", fillConsts(0), ""}, {"constants of 0x7f", fillConsts(0x7f), ""}, {"constants of 0x80", fillConsts(0x80), ""}, {"constants of 0xff", fillConsts(0xff), ""},
	{"scales without zero points", func(m *fb.ModelT) bool { quantize(m, []float32{1, 2}, nil, 0); return true }, "2 scales and 0 zero points"},
	{"scales on no axis", func(m *fb.ModelT) bool { quantize(m, []float32{1, 2}, []int64{0, 0}, 77); return true }, ""},
	{"scales on axis -1", func(m *fb.ModelT) bool { quantize(m, []float32{1, 2}, []int64{0, 0}, -1); return true }, ""},
	{"too many scales", func(m *fb.ModelT) bool { quantize(m, make([]float32, 1000), make([]int64, 1000), 0); return true }, ""},
	{"scale 0", func(m *fb.ModelT) bool { quantize(m, []float32{0}, []int64{0}, 0); return true }, ""},
	{"scale NaN", func(m *fb.ModelT) bool { quantize(m, []float32{float32(math.NaN())}, []int64{0}, 0); return true }, ""},
	{"scale infinite", func(m *fb.ModelT) bool { quantize(m, []float32{float32(math.Inf(1))}, []int64{0}, 0); return true }, ""},
	{"scale negative", func(m *fb.ModelT) bool { quantize(m, []float32{-1e-30}, []int64{0}, 0); return true }, ""},
	{"zero point out of range", func(m *fb.ModelT) bool { quantize(m, []float32{1}, []int64{math.MinInt64}, 0); return true }, ""},
	{"blocks without scales", func(m *fb.ModelT) bool {
		tensor0(m).Quantization = &fb.QuantizationParametersT{Details: &fb.QuantizationDetailsT{
			Type: fb.QuantizationDetailsBlockwiseQuantization, Value: &fb.BlockwiseQuantizationT{Scales: 99999, BlockSize: 32}}}
		return true
	}, "quantization: tensor 99999 does not exist"},
	{"sparse nonsense", func(m *fb.ModelT) bool {
		return eachConst(m, func(v *fb.TensorT, b *fb.BufferT) {
			v.Sparsity = &fb.SparsityParametersT{TraversalOrder: []int32{1 << 30}, BlockMap: []int32{-1}, DimMetadata: []*fb.DimensionMetadataT{{DenseSize: -1}}}
		})
	}, ""},
	{"unknown element type", func(m *fb.ModelT) bool { tensor0(m).Type = 99; return true }, `subgraph 0 "`},
	{"a variable with data", func(m *fb.ModelT) bool {
		return eachConst(m, func(v *fb.TensorT, b *fb.BufferT) { v.IsVariable = true })
	}, "a variable with constant data"},
	{"everything variable", func(m *fb.ModelT) bool {
		for _, v := range m.Subgraphs[0].Tensors {
			v.IsVariable = true
		}
		return true
	}, ""},
	{"no inputs", func(m *fb.ModelT) bool { m.Subgraphs[0].Inputs = nil; return true }, ""},
	{"inputs twice", func(m *fb.ModelT) bool {
		g := m.Subgraphs[0]
		g.Inputs = append(g.Inputs, g.Inputs...)
		return true
	}, ""},
	{"no outputs", func(m *fb.ModelT) bool { m.Subgraphs[0].Outputs = nil; return true }, ""},
	{"no subgraphs", func(m *fb.ModelT) bool { m.Subgraphs = nil; return true }, "model without subgraphs"},
	{"signature of no subgraph", func(m *fb.ModelT) bool {
		m.SignatureDefs = []*fb.SignatureDefT{{SignatureKey: "s", SubgraphIndex: math.MaxUint32}}
		return true
	}, `signature "s"`},
	{"signature of no tensor", func(m *fb.ModelT) bool {
		m.SignatureDefs = []*fb.SignatureDefT{{SignatureKey: "s", Inputs: []*fb.TensorMapT{{Name: "x", TensorIndex: math.MaxUint32}}}}
		return true
	}, `signature "s"`},
	{"metadata in no buffer", func(m *fb.ModelT) bool { m.Metadata = []*fb.MetadataT{{Name: "n", Buffer: 1 << 30}}; return true }, `metadata "n"`},
	{"calls of no subgraph", subgraphIndices(math.MaxInt32), ""},
	{"calls of itself", subgraphIndices(0), ""},
	{"calls of subgraph -1", subgraphIndices(-1), ""},
}

func node0(m *fb.ModelT) *fb.OperatorT { return m.Subgraphs[0].Operators[0] }
func tensor0(m *fb.ModelT) *fb.TensorT { return m.Subgraphs[0].Tensors[0] }

// anyOperands reports whether the first operator takes any number of operands, none
// among them.
func anyOperands(m *fb.ModelT) bool {
	switch schema.Operator(m.OperatorCodes[node0(m).OpcodeIndex]) {
	case schema.CALL, schema.WHILE, schema.RESHAPE, schema.STABLEHLO_COMPOSITE:
		return true
	}
	return false
}

func firstOperand(v int32) func(*fb.ModelT) bool {
	return func(m *fb.ModelT) bool {
		n := node0(m)
		if len(n.Inputs) == 0 {
			return false
		}
		n.Inputs[0] = v
		return true
	}
}

func firstResult(v int32) func(*fb.ModelT) bool {
	return func(m *fb.ModelT) bool {
		if len(node0(m).Outputs) == 0 {
			return false
		}
		node0(m).Outputs[0] = v
		return true
	}
}

func bytesOf(n int, v int32) []int32 {
	s := make([]int32, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// shapes changes those of the inputs.
func shapes(change func([]int32) []int32) func(*fb.ModelT) bool {
	return func(m *fb.ModelT) bool {
		g := m.Subgraphs[0]
		for _, i := range g.Inputs {
			g.Tensors[i].Shape, g.Tensors[i].ShapeSignature = change(g.Tensors[i].Shape), nil
		}
		return len(g.Inputs) > 0
	}
}

func eachConst(m *fb.ModelT, change func(v *fb.TensorT, b *fb.BufferT)) bool {
	done := false
	for _, v := range m.Subgraphs[0].Tensors {
		if b := m.Buffers[v.Buffer]; len(b.Data) > 0 && v.Type != fb.TensorTypeSTRING && v.Sparsity == nil {
			change(v, b)
			done = true
		}
	}
	return done
}

func fillConsts(x byte) func(*fb.ModelT) bool {
	return func(m *fb.ModelT) bool {
		return eachConst(m, func(_ *fb.TensorT, b *fb.BufferT) { b.Data = bytes.Repeat([]byte{x}, len(b.Data)) })
	}
}

func quantize(m *fb.ModelT, scales []float32, zeros []int64, axis int32) {
	for _, v := range m.Subgraphs[0].Tensors {
		v.Quantization = &fb.QuantizationParametersT{Scale: scales, ZeroPoint: zeros, QuantizedDimension: axis}
	}
}

// subgraphIndices sets all options of the first node that name a subgraph.
func subgraphIndices(x int32) func(*fb.ModelT) bool {
	return func(m *fb.ModelT) bool {
		n, done := node0(m), false
		for _, o := range []any{orZero(n.BuiltinOptions).Value, orZero(n.BuiltinOptions2).Value} {
			v := reflect.Indirect(reflect.ValueOf(o))
			for i := 0; v.IsValid() && i < v.NumField(); i++ {
				if !strings.Contains(v.Type().Field(i).Name, "Subgraph") {
					continue
				}
				switch f := v.Field(i); {
				case f.CanInt():
					f.SetInt(int64(x))
					done = true
				case f.Kind() == reflect.Slice:
					f.Set(reflect.ValueOf([]int32{x}))
					done = true
				}
			}
		}
		return done
	}
}

// orZero is p, or a new zero value.
func orZero[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}

// budget is what one model may use here: its bytes, and what all engines and the
// decoder may allocate over all.
var budget = engine.Limits{Bytes: 1 << 22, Operators: 100_000, Calls: 10_000, Folding: 100 * time.Millisecond}

const allocated = 48 << 20

// victims are real models, a few for each operator.
func victims(t *testing.T) []conformance.Case {
	var list []conformance.Case
	for _, name := range must(conformance.Operators())(t) {
		cases := must(conformance.Load(name))(t)
		step := max(len(cases)/2, 1)
		if testing.Short() {
			step = len(cases)
		}
		for i := 0; i < len(cases); i += step {
			if len(cases[i].Model) <= 1<<14 {
				list = append(list, cases[i])
			}
		}
	}
	return list
}

// survive takes a file all the way with both engines and returns the first refusal.
func survive(t *testing.T, name string, file []byte) (refusal error) {
	t.Helper()
	defer func() {
		if v := recover(); v != nil {
			t.Errorf("%s: panic: %v", name, v)
		}
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	m, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil && !places.MatchString(err.Error()) {
		t.Errorf("%s: no place in: %v", name, err)
	}
	if err == nil {
		for _, k := range []engine.Kind{engine.Reference, engine.Fast} {
			_, e := attempt(m, k)
			if err == nil {
				err = e
			}
			checkPlace(t, name, e)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > allocated {
		t.Errorf("%s: %d bytes allocated", name, used)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("%s: takes %v", name, d)
	}
	if err != nil && (!hasReason(err) || strings.Contains(err.Error(), "\n")) {
		t.Errorf("%s: refused with %q", name, err)
	}
	return err
}

// places are what the decoder's refusals begin with.
var places = regexp.MustCompile(`^(subgraph|signature|metadata|file|buffers|operator_codes|description|version|external_|model without)`)

// checkPlace wants the subgraph, and the node if it is a node's problem.
func checkPlace(t *testing.T, name string, err error) {
	t.Helper()
	var e *graph.Error
	if err != nil && !strings.Contains(err.Error(), "signature") && (!errors.As(err, &e) || e.Subgraph == "" || e.Node == "" && e.Value == "") && !strings.Contains(err.Error(), "tensor") {
		t.Errorf("%s: no place in: %v", name, err)
	}
}

func TestMutations(t *testing.T) {
	refused, survived := 0, 0
	for _, c := range victims(t) {
		for _, mu := range mutations {
			tree := schema.Unpack(c.Model)
			if len(tree.Subgraphs[0].Operators) == 0 || !mu.apply(tree) {
				continue
			}
			name := c.Operator + "/" + c.Name + ": " + mu.name
			err := survive(t, name, must(schema.Pack(tree))(t))
			if err == nil {
				survived++
			} else {
				refused++
			}
			if mu.place != "" && (err == nil || !strings.Contains(err.Error(), mu.place)) {
				t.Errorf("%s: want an error with %q, have: %v", name, mu.place, err)
			}
		}
	}
	t.Logf("%d refused, %d survived", refused, survived)
}

// TestOptionMutations sets each scalar of the first node's options to extremes.
func TestOptionMutations(t *testing.T) {
	refused, survived := 0, 0
	for _, c := range victims(t) {
		for _, x := range []int32{0, -1, math.MinInt32, math.MaxInt32, 0x7fc00000} {
			for i := 0; ; i++ {
				tree := schema.Unpack(c.Model)
				if len(tree.Subgraphs[0].Operators) == 0 {
					break
				}
				n := node0(tree)
				if edit(reflect.ValueOf([]any{n.BuiltinOptions, n.BuiltinOptions2}), i, x) <= i {
					break
				}
				file, err := schema.Pack(tree)
				if err != nil {
					continue // the options' type
				}
				if survive(t, fmt.Sprintf("%s/%s: option %d is %d", c.Operator, c.Name, i, x), file) == nil {
					survived++
				} else {
					refused++
				}
			}
		}
	}
	t.Logf("%d refused, %d survived", refused, survived)
}

// tally counts what survive says.
type tally struct{ refused, survived int }

func (c *tally) try(t *testing.T, name string, file []byte) {
	t.Helper()
	if survive(t, name, file) == nil {
		c.survived++
	} else {
		c.refused++
	}
}

// damage truncates a file n times, flips bits and writes wild offsets and counts.
func (c *tally) damage(t *testing.T, name string, model []byte, n int, random *rand.Rand) {
	t.Helper()
	size := len(model)
	for i := range n {
		c.try(t, fmt.Sprintf("%s: cut to %d bytes", name, size*i/n), model[:size*i/n])
	}
	for range 2 * n {
		file := bytes.Clone(model)
		for range 1 + random.IntN(4) {
			file[random.IntN(size)] ^= 1 << random.IntN(8)
		}
		c.try(t, name+": flipped bits", file)
	}
	for range 2 * n {
		at := 4 * random.IntN(size/4)
		for _, x := range []uint32{0, 1, uint32(size), 1 << 16, math.MaxInt32, math.MaxUint32, -uint32(at)} {
			file := bytes.Clone(model)
			binary.LittleEndian.PutUint32(file[at:], x)
			c.try(t, fmt.Sprintf("%s: %d at %d", name, x, at), file)
		}
	}
}

// TestDamagedBytes damages the golden cases' models.
func TestDamagedBytes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var c tally
	for _, v := range victims(t) {
		c.damage(t, v.Operator+"/"+v.Name, v.Model, 8, random)
	}
	t.Logf("%d refused, %d survived", c.refused, c.survived)
}

// TestDamagedModels damages the models of a folder, and sets fields of theirs to
// extremes.
func TestDamagedModels(t *testing.T) {
	root := os.Getenv("LITEQUANT_MODELS")
	if root == "" {
		t.Skip("LITEQUANT_MODELS does not name a folder of .tflite files")
	}
	random := rand.New(rand.NewPCG(3, 4))
	var c tally
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".tflite" {
			return err
		}
		file := must(os.ReadFile(name))(t)
		const most = 300_000
		if _, err := tflite.Decode(file, tflite.DecodeOptions{}); err != nil || len(file) > most {
			return nil
		}
		c.damage(t, name, file, 1, random)
		c.setFields(t, name, file, 6, random)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d refused, %d survived", c.refused, c.survived)
}

// setFields sets n times one of the model's fields.
func (c *tally) setFields(t *testing.T, name string, file []byte, n int, random *rand.Rand) {
	fields := edit(reflect.ValueOf(schema.Unpack(file)), -1, 0)
	for range n {
		tree := schema.Unpack(file)
		at, x := random.IntN(fields), []int32{0, -1, math.MinInt32, math.MaxInt32, 0x7fc00000, int32(random.Uint32())}[random.IntN(6)]
		edit(reflect.ValueOf(tree), at, x)
		if file, err := schema.Pack(tree); err == nil { // else the options' type
			c.try(t, fmt.Sprintf("%s: field %d is %d", name, at, x), file)
		}
	}
}
