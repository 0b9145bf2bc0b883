package tflite

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/atomicfile"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
	"github.com/litequant/litequant/tensor"
)

// MinRuntimeVersion is the name of the metadata entry that says which TensorFlow
// release first ran the file's operators: ASCII, padded with NUL to 16 bytes.
const MinRuntimeVersion = "min_runtime_version"

// Encode writes a model. Operator versions that the model leaves open come from
// the operators' rows. A model that was not read from a file gets a
// min_runtime_version entry. Internal operators are refused.
func Encode(m *graph.Model) ([]byte, error) { return EncodeWith(all.Set(), m) }

// EncodeWith is Encode for models that use the given operators.
func EncodeWith(ops op.Set, m *graph.Model) ([]byte, error) {
	p, err := pack(ops, m, maxInside)
	if err != nil {
		return nil, err
	}
	return p.bytes(), nil
}

// Write writes what Encode returns, without a copy of the constants if they are more
// than a flatbuffer can hold.
func Write(w io.Writer, m *graph.Model) error {
	p, err := pack(all.Set(), m, maxInside)
	if err != nil {
		return err
	}
	return p.write(w)
}

// pack makes a file of a model. Constants go behind the flatbuffer if they are more
// than inside bytes, or if they were there in the file that the model comes from.
func pack(ops op.Set, m *graph.Model, inside int64) (*packed, error) {
	if err := m.ValidateIndices(); err != nil {
		return nil, err
	}
	e := encoder{ops: ops, m: m, codes: map[codeKey]int{}, shared: map[*byte]uint32{}}
	if err := e.model(inside); err != nil {
		return nil, err
	}
	return e.pack()
}

// WriteFile writes a model to a file, whole or not at all. External constants stay
// in their files, which are not copied.
func WriteFile(name string, m *graph.Model) error {
	p, err := pack(all.Set(), m, maxInside)
	if err != nil {
		return inFile(name, err)
	}
	return atomicfile.Write(name, func(f *os.File) error { return p.write(f) })
}

type codeKey struct {
	op      graph.OpCode
	custom  string
	version int // 0 where the row decides: one code for all nodes
}

type encoder struct {
	ops    op.Set
	m      *graph.Model
	t      *fb.ModelT
	codes  map[codeKey]int
	shared map[*byte]uint32 // buffers by the first byte of their constant
	// constants is how many of the buffers are values', the others are metadata.
	constants int
	outside   bool // constants go behind the flatbuffer
}

func (e *encoder) model(inside int64) error {
	m := e.m
	e.t = &fb.ModelT{Version: 3, Description: m.Description, Buffers: []*fb.BufferT{{}}}
	if f, ok := m.File.(*modelFile); ok {
		e.t.Version = f.version
		e.t.ExternalBufferGroups, e.t.ExternalBuffers = f.externalBufferGroups, f.externalBuffers
		e.outside = f.outside
	}
	var errs []error
	for i, s := range m.Subgraphs {
		g, err := e.subgraph(s)
		if err != nil {
			errs = append(errs, &graph.Error{Subgraph: fmt.Sprintf("%d %q", i, s.Name), Err: err})
		}
		e.t.Subgraphs = append(e.t.Subgraphs, g)
	}
	for _, s := range m.Signatures {
		e.t.SignatureDefs = append(e.t.SignatureDefs, &fb.SignatureDefT{
			SignatureKey: s.Key, SubgraphIndex: uint32(s.Subgraph), Inputs: tensorMaps(s.Inputs), Outputs: tensorMaps(s.Outputs),
		})
	}
	e.constants = len(e.t.Buffers)
	if e.outside = e.outside || blobBytes(e.t) > inside; e.outside {
		e.t.Metadata = append(e.t.Metadata, &fb.MetadataT{Name: bufferLocation, Buffer: e.newBuffer([]byte(outsideLocation))})
	}
	if f, ok := m.File.(*modelFile); ok {
		for _, data := range f.metadataBuffer {
			e.t.MetadataBuffer = append(e.t.MetadataBuffer, int32(e.newBuffer(data)))
		}
	}
	for _, md := range e.metadata() {
		e.t.Metadata = append(e.t.Metadata, &fb.MetadataT{Name: md.Name, Buffer: e.newBuffer(md.Data)})
	}
	return graph.Join(errs...)
}

// metadata returns the entries to write, min_runtime_version first unless the
// model has one or comes from a file without it.
func (e *encoder) metadata() []graph.Metadata {
	md := e.m.Metadata
	if e.m.File != nil || e.m.MetadataOf(MinRuntimeVersion) != nil {
		return md
	}
	v := make([]byte, 16)
	copy(v, e.minRuntime())
	return append([]graph.Metadata{{Name: MinRuntimeVersion, Data: v}}, md...)
}

// minRuntime is the latest of the releases that first knew each operator
// version, "" if one of them is not known.
func (e *encoder) minRuntime() string {
	latest := ""
	for key, i := range e.codes {
		def := e.ops.ByCode(key.op)
		version := int(e.t.OperatorCodes[i].Version)
		if def == nil || version > len(def.Since) {
			return ""
		}
		if v := def.Since[version-1]; compareVersions(v, latest) > 0 {
			latest = v
		}
	}
	return latest
}

// compareVersions compares releases as "2.14.0" number by number.
func compareVersions(a, b string) int {
	if b == "" || a == "" {
		return cmp.Compare(len(a), len(b))
	}
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, _ := strconv.Atoi(as[i])
		y, _ := strconv.Atoi(bs[i])
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}

func tensorMaps(list []graph.NamedValue) []*fb.TensorMapT {
	out := make([]*fb.TensorMapT, len(list))
	for i, v := range list {
		out[i] = &fb.TensorMapT{Name: v.Name, TensorIndex: uint32(v.Value)}
	}
	return out
}

func (e *encoder) newBuffer(data []byte) uint32 {
	e.t.Buffers = append(e.t.Buffers, &fb.BufferT{Data: data})
	return uint32(len(e.t.Buffers) - 1)
}

// buffer returns the buffer of a value: one each, except that values whose
// constants are the same memory share one, and that buffer 0 stays shared where
// a file had it so.
func (e *encoder) buffer(v *graph.Value) uint32 {
	if len(v.Const) == 0 || keepsExternal(v) {
		switch f, _ := v.File.(*valueFile); {
		case f != nil && f.sharedEmpty:
			return 0
		case f != nil && f.emptyVector:
			return e.newBuffer([]byte{})
		}
		return e.newBuffer(nil)
	}
	if i, ok := e.shared[&v.Const[0]]; ok && len(e.t.Buffers[i].Data) == len(v.Const) {
		return i
	}
	i := e.newBuffer(v.Const)
	e.shared[&v.Const[0]] = i
	return i
}

func (e *encoder) subgraph(s *graph.Subgraph) (*fb.SubGraphT, error) {
	g := &fb.SubGraphT{Name: s.Name, Inputs: indices(s.Inputs), Outputs: indices(s.Outputs), DebugMetadataIndex: -1}
	if f, ok := s.File.(*subgraphFile); ok {
		g.DebugMetadataIndex = f.debugMetadata
	}
	var errs []error
	for i := range s.Values {
		v := &s.Values[i]
		if err := fits(v); err != nil {
			errs = append(errs, &graph.Error{Value: fmt.Sprintf("%d %q", i, v.Name), Err: err})
		}
		g.Tensors = append(g.Tensors, e.value(v))
	}
	for i := range s.Nodes {
		n, err := e.node(s, &s.Nodes[i])
		if err != nil {
			errs = append(errs, &graph.Error{Node: fmt.Sprintf("%d %s", i, op.NameOf(&s.Nodes[i])), Origins: s.Nodes[i].Origins, Err: err})
		}
		g.Operators = append(g.Operators, n)
	}
	return g, graph.Join(errs...)
}

func indices(list []graph.ValueID) []int32 {
	out := make([]int32, len(list))
	for i, v := range list {
		out[i] = int32(v)
	}
	return out
}

// fits tests that a file can hold the value's dimensions.
func fits(v *graph.Value) error {
	for _, d := range slices.Concat(v.Shape, v.Signature) {
		if d > math.MaxInt32 {
			return fmt.Errorf("dimension %d has more than 31 bits: %w", d, tensor.ErrLimit)
		}
	}
	return nil
}

func dims(s tensor.Shape) []int32 {
	out := make([]int32, len(s))
	for i, d := range s {
		out[i] = int32(d)
	}
	return out
}

func (e *encoder) value(v *graph.Value) *fb.TensorT {
	t := &fb.TensorT{
		Shape: dims(v.Shape), Type: fb.TensorType(v.DType), Buffer: e.buffer(v), Name: v.Name,
		IsVariable: v.Variable, HasRank: !v.Unranked, Quantization: &fb.QuantizationParametersT{},
	}
	if v.Signature != nil {
		t.ShapeSignature = dims(v.Signature)
	}
	if f, ok := v.File.(*valueFile); ok {
		t.VariantTensors, t.HasRank = f.variants, f.hasRank
		if keepsExternal(v) {
			t.ExternalBuffer = f.externalBuffer
		}
		if t.Quantization = nil; f.quant != nil {
			q := *f.quant
			t.Quantization = &q
		}
	}
	if q := v.Quant; !q.IsZero() || len(q.Min) > 0 || len(q.Max) > 0 {
		if t.Quantization == nil {
			t.Quantization = &fb.QuantizationParametersT{}
		}
		if len(q.Scales) > 0 || len(t.Quantization.Scale) > 0 {
			t.Quantization.Scale, t.Quantization.ZeroPoint = q.Scales, q.ZeroPoints
		}
		t.Quantization.Min, t.Quantization.Max, t.Quantization.QuantizedDimension = q.Min, q.Max, int32(q.Axis)
	} else if t.Quantization != nil && len(t.Quantization.Scale) > 0 { // dequantized since it was read
		t.Quantization = &fb.QuantizationParametersT{}
	}
	t.Sparsity = sparsityParameters(v.Sparsity)
	setBlockwise(t, v.Blockwise)
	return t
}

func (e *encoder) node(s *graph.Subgraph, n *graph.Node) (*fb.OperatorT, error) {
	o := &fb.OperatorT{Inputs: indices(n.Inputs), Outputs: indices(n.Outputs), CustomOptions: n.CustomOptions, DebugMetadataIndex: -1}
	if len(n.Intermediates) > 0 {
		o.Intermediates = indices(n.Intermediates)
	}
	if f, ok := n.File.(*nodeFile); ok {
		o.CustomOptionsFormat, o.MutatingVariableInputs, o.DebugMetadataIndex = f.customFormat, f.mutating, f.debugMetadata
	}
	if n.Op >= graph.Internal {
		return o, fmt.Errorf("internal operator %d cannot be written: %w", n.Op, tensor.ErrUnsupported)
	}
	if n.Options != nil {
		switch one, two := schema.MemberOf(n.Options); {
		case one != fb.BuiltinOptionsNONE:
			o.BuiltinOptions = &fb.BuiltinOptionsT{Type: one, Value: n.Options}
		case two != fb.BuiltinOptions2NONE:
			o.BuiltinOptions2 = &fb.BuiltinOptions2T{Type: two, Value: n.Options}
		default:
			return o, fmt.Errorf("options of type %T: %w", n.Options, tensor.ErrUnsupported)
		}
	}
	i, err := e.code(s, n)
	o.OpcodeIndex = uint32(i)
	return o, err
}

// code returns the index of the node's operator code, raising its version where
// the row asks for a higher one than earlier nodes did.
func (e *encoder) code(s *graph.Subgraph, n *graph.Node) (int, error) {
	key, version := codeKey{n.Op, n.Custom, n.Version}, n.Version
	if version == 0 {
		d, err := e.ops.Lookup(n)
		if err != nil {
			return 0, err
		}
		version = 1
		if d.Version != nil {
			version = d.Version(declared(s, n))
		}
	}
	i, ok := e.codes[key]
	if !ok {
		c := schema.NewOperatorCode(schema.BuiltinOperator(n.Op), int32(version))
		c.CustomCode = n.Custom
		i = len(e.t.OperatorCodes)
		e.codes[key] = i
		e.t.OperatorCodes = append(e.t.OperatorCodes, c)
	}
	e.t.OperatorCodes[i].Version = max(e.t.OperatorCodes[i].Version, int32(version))
	return i, nil
}

// declared is a node's call as far as the declarations of its values go.
func declared(s *graph.Subgraph, n *graph.Node) *op.Call {
	facts := func(list []graph.ValueID) []op.Fact {
		out := make([]op.Fact, len(list))
		for i, v := range list {
			if v != graph.None {
				out[i] = op.Declared(&s.Values[v])
			}
		}
		return out
	}
	return &op.Call{Node: n, In: facts(n.Inputs), Out: facts(n.Outputs)}
}
