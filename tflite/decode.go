// Package tflite reads and writes .tflite files: bytes to graph.Model and back,
// without losing what a file says. Constants of a decoded model are views of the
// file's bytes, which Map leaves where they are. Constants may lie behind the
// flatbuffer, which ends at 2 GiB, and in files of their own; both are read and
// written. What no reader sees is dropped: buffers and operator codes that nothing
// names.
package tflite

import (
	"bytes"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"path/filepath"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/tensor"
)

// DecodeOptions bound what an untrusted file may use; zero values are defaults.
type DecodeOptions struct {
	Limits schema.Limits
	// External, if not nil, holds the files that external constants lie in. Without
	// it such values have no bytes: they can be printed and written, not run.
	External fs.FS
}

// modelFile, subgraphFile, valueFile and nodeFile are what only the file format
// knows, kept for writing.
type modelFile struct {
	version              uint32
	metadataBuffer       [][]byte // superseded by Metadata
	externalBufferGroups []*fb.ExternalBufferGroupT
	externalBuffers      []*fb.ExternalBufferT
	outside              bool // constants lie behind the flatbuffer
}

type subgraphFile struct{ debugMetadata int32 }

type valueFile struct {
	variants       []*fb.VariantSubTypeT
	externalBuffer uint32
	external       []byte                      // what was read from there
	quant          *fb.QuantizationParametersT // as read: details, lone ranges
	hasRank        bool
	sharedEmpty    bool // the tensor names buffer 0
	emptyVector    bool // its buffer has data of no bytes: LiteRT takes it for a constant
}

type nodeFile struct {
	customFormat  fb.CustomOptionsFormat
	mutating      []bool
	debugMetadata int32
}

// Decode reads a file. Constants are views of it: the caller must not change it
// as long as the model is in use.
func Decode(file []byte, o DecodeOptions) (*graph.Model, error) {
	d := decoder{open: openIn(o.External)}
	return d.decode(file, o.Limits)
}

func (d *decoder) decode(file []byte, l schema.Limits) (*graph.Model, error) {
	if err := schema.Verify(file, l); err != nil {
		return nil, err
	}
	d.file, d.t = file, schema.Unpack(file)
	m, err := d.model()
	if err != nil {
		return nil, err
	}
	return m, m.ValidateIndices()
}

// ReadFile reads a file by name, and the files below its directory that hold
// external constants, if they are there. Errors name it.
func ReadFile(name string) (*graph.Model, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	m, err := Decode(b, DecodeOptions{External: os.DirFS(filepath.Dir(name))})
	return m, inFile(name, err)
}

// ReadFS is ReadFile for a file system.
func ReadFS(fsys fs.FS, name string) (*graph.Model, error) {
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	near, err := fs.Sub(fsys, path.Dir(name))
	if err != nil {
		return nil, err
	}
	m, err := Decode(b, DecodeOptions{External: near})
	return m, inFile(name, err)
}

func inFile(name string, err error) error {
	if err == nil {
		return nil
	}
	return &graph.Error{File: name, Err: err}
}

// IsFile reports whether b starts like a .tflite file.
func IsFile(b []byte) bool { return len(b) >= 8 && bytes.Equal(b[4:8], []byte("TFL3")) }

type decoder struct {
	file []byte
	t    *fb.ModelT
	open opener // of files that hold external constants
	byID map[uint32]*fb.ExternalBufferT
}

func (d *decoder) model() (*graph.Model, error) {
	t := d.t
	m := &graph.Model{Description: t.Description}
	var errs []error
	for i, s := range t.Subgraphs {
		g, err := d.subgraph(s)
		if err != nil {
			errs = append(errs, &graph.Error{Subgraph: fmt.Sprintf("%d %q", i, s.Name), Err: err})
			continue
		}
		m.Subgraphs = append(m.Subgraphs, g)
	}
	for _, s := range t.SignatureDefs {
		if s.SubgraphIndex > math.MaxInt32 {
			return nil, fmt.Errorf("signature %q: subgraph %d: %w", s.SignatureKey, s.SubgraphIndex, tensor.ErrMalformed)
		}
		m.Signatures = append(m.Signatures, graph.Signature{
			Key: s.SignatureKey, Subgraph: int(s.SubgraphIndex), Inputs: namedValues(s.Inputs), Outputs: namedValues(s.Outputs),
		})
	}
	for _, md := range t.Metadata {
		data, err := d.buffer(md.Buffer)
		if err != nil {
			errs = append(errs, fmt.Errorf("metadata %q: %w", md.Name, err))
		}
		m.Metadata = append(m.Metadata, graph.Metadata{Name: md.Name, Data: data})
	}
	var old [][]byte
	for i, b := range t.MetadataBuffer {
		data, err := d.buffer(uint32(b))
		if err != nil {
			errs = append(errs, fmt.Errorf("metadata_buffer %d: %w", i, err))
		}
		old = append(old, data)
	}
	m.File = &modelFile{t.Version, old, t.ExternalBufferGroups, t.ExternalBuffers, d.takeLocation(m)}
	return m, graph.Join(errs...)
}

func namedValues(maps []*fb.TensorMapT) []graph.NamedValue {
	out := make([]graph.NamedValue, len(maps))
	for i, t := range maps {
		out[i] = graph.NamedValue{Name: t.Name, Value: graph.ValueID(int32(t.TensorIndex))}
	}
	return out
}

// buffer returns a buffer's bytes, nil for one that holds none.
func (d *decoder) buffer(i uint32) ([]byte, error) {
	if i == 0 && len(d.t.Buffers) == 0 {
		return nil, nil
	}
	if int64(i) >= int64(len(d.t.Buffers)) {
		return nil, fmt.Errorf("buffer %d of %d: %w", i, len(d.t.Buffers), tensor.ErrMalformed)
	}
	b := d.t.Buffers[i]
	if b.Offset > 1 { // the data lie behind the flatbuffer
		return d.behind(fmt.Sprintf("buffer %d", i), b.Offset, b.Size)
	}
	if len(b.Data) == 0 {
		return nil, nil
	}
	return b.Data, nil
}

func (d *decoder) subgraph(s *fb.SubGraphT) (*graph.Subgraph, error) {
	g := &graph.Subgraph{Name: s.Name, Inputs: ids(s.Inputs), Outputs: ids(s.Outputs), File: &subgraphFile{s.DebugMetadataIndex}}
	var errs []error
	for i, t := range s.Tensors {
		v, err := d.value(t)
		if err != nil {
			errs = append(errs, &graph.Error{Value: fmt.Sprintf("%d %q", i, t.Name), Err: err})
		}
		g.Values = append(g.Values, v)
	}
	for i, o := range s.Operators {
		n, err := d.node(o)
		if err != nil {
			errs = append(errs, &graph.Error{Node: fmt.Sprint(i), Err: err})
		}
		g.Nodes = append(g.Nodes, n)
	}
	d.zeroSize(g)
	return g, graph.Join(errs...)
}

// zeroSize marks the values that nothing computes and whose shape has no
// elements as constants: files give them an empty buffer.
func (d *decoder) zeroSize(g *graph.Subgraph) {
	computed := make([]bool, len(g.Values))
	mark := func(list []graph.ValueID) {
		for _, v := range list {
			if v >= 0 && int(v) < len(computed) {
				computed[v] = true
			}
		}
	}
	mark(g.Inputs)
	for i := range g.Nodes {
		mark(g.Nodes[i].Outputs)
		mark(g.Nodes[i].Intermediates)
	}
	for i := range g.Values {
		v := &g.Values[i]
		if n, err := v.Shape.Elems(); !computed[i] && !v.Variable && v.Const == nil && err == nil && n == 0 {
			v.Const = []byte{}
		}
	}
}

func ids(list []int32) []graph.ValueID {
	out := make([]graph.ValueID, len(list))
	for i, v := range list {
		out[i] = graph.ValueID(v)
	}
	return out
}

func (d *decoder) value(t *fb.TensorT) (graph.Value, error) {
	f := &valueFile{
		variants: t.VariantTensors, externalBuffer: t.ExternalBuffer, quant: t.Quantization, hasRank: t.HasRank, sharedEmpty: t.Buffer == 0,
	}
	if t.Buffer != 0 && int64(t.Buffer) < int64(len(d.t.Buffers)) {
		data := d.t.Buffers[t.Buffer].Data
		f.emptyVector = data != nil && len(data) == 0
	}
	v := graph.Value{Name: t.Name, DType: tensor.DType(t.Type), Variable: t.IsVariable, File: f}
	var err error
	if v.Shape, err = shapeOf(t.Shape, 0); err != nil {
		return v, err
	}
	if t.ShapeSignature != nil {
		if v.Signature, err = shapeOf(t.ShapeSignature, -1); err != nil {
			return v, err
		}
		if len(v.Signature) > 0 && len(v.Signature) != len(v.Shape) {
			return v, fmt.Errorf("shape %v and signature %v differ in rank: %w", v.Shape, v.Signature, tensor.ErrMalformed)
		}
	}
	if q := t.Quantization; q != nil {
		v.Quant = tensor.Quant{Axis: int(q.QuantizedDimension), Min: q.Min, Max: q.Max}
		if len(q.Scale) > 0 { // zero points alone mean nothing
			v.Quant.Scales, v.Quant.ZeroPoints = q.Scale, q.ZeroPoint
		}
		if len(v.Quant.Scales) != len(v.Quant.ZeroPoints) {
			return v, fmt.Errorf("%d scales and %d zero points: %w", len(q.Scale), len(q.ZeroPoint), tensor.ErrMalformed)
		}
	}
	v.Sparsity, v.Blockwise = sparsityOf(t.Sparsity), blockwiseOf(t.Quantization)
	if t.Buffer != 0 { // buffer 0 means none, whatever it holds
		v.Const, err = d.buffer(t.Buffer)
	}
	if v.Const == nil && err == nil {
		f.external, err = d.external(&v, t.ExternalBuffer)
		v.Const = f.external
	}
	if v.Const == nil && v.Sparsity != nil { // all elements are 0
		v.Const = []byte{}
	}
	return v, err
}

func shapeOf(dims []int32, least int32) (tensor.Shape, error) {
	s := make(tensor.Shape, len(dims))
	for i, n := range dims {
		if n < least {
			return nil, fmt.Errorf("dimension %d: %w", n, tensor.ErrMalformed)
		}
		s[i] = int(n)
	}
	return s, nil
}

func (d *decoder) node(o *fb.OperatorT) (graph.Node, error) {
	n := graph.Node{
		Inputs: ids(o.Inputs), Outputs: ids(o.Outputs), Intermediates: ids(o.Intermediates),
		CustomOptions: o.CustomOptions,
		File:          &nodeFile{customFormat: o.CustomOptionsFormat, mutating: o.MutatingVariableInputs, debugMetadata: o.DebugMetadataIndex},
	}
	if int64(o.OpcodeIndex) >= int64(len(d.t.OperatorCodes)) {
		return n, fmt.Errorf("operator code %d of %d: %w", o.OpcodeIndex, len(d.t.OperatorCodes), tensor.ErrMalformed)
	}
	c := d.t.OperatorCodes[o.OpcodeIndex]
	n.Op, n.Custom, n.Version = graph.OpCode(schema.Operator(c)), c.CustomCode, int(c.Version)
	if n.Op < 0 || n.Op >= graph.Internal || n.Version < 1 {
		return n, fmt.Errorf("operator code %d version %d: %w", n.Op, n.Version, tensor.ErrMalformed)
	}
	switch {
	case o.BuiltinOptions != nil && o.BuiltinOptions.Value != nil:
		n.Options = o.BuiltinOptions.Value
	case o.BuiltinOptions2 != nil && o.BuiltinOptions2.Value != nil:
		n.Options = o.BuiltinOptions2.Value
	}
	if o.LargeCustomOptionsOffset > 1 {
		var err error
		n.CustomOptions, err = d.behind("custom options", o.LargeCustomOptionsOffset, o.LargeCustomOptionsSize)
		return n, err
	}
	return n, nil
}
