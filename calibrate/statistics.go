package calibrate

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tensor"
)

// Statistics are the ranges of a model's values over some samples.
type Statistics struct {
	// Model is the Fingerprint of the calibrated model, "" if it is not known.
	Model string
	// Samples is the number of samples, 0 if it is not known.
	Samples int
	// Preprocess says how the samples were preprocessed (dataset.Spec).
	Preprocess string
	// Tensors are ordered by subgraph and index.
	Tensors []Tensor
}

// Tensor is what is known of one value.
type Tensor struct {
	// Subgraph and Index place the value in the model; both are -1 where only
	// its name is known.
	Subgraph, Index int
	Name            string
	// Count is the number of elements seen.
	Count int64
	Range
}

// Range is a closed interval.
type Range struct{ Min, Max float32 }

// Merge returns the statistics of all samples together. It fails with
// tensor.ErrMalformed if the parts come from different models or were
// preprocessed differently.
func Merge(parts ...*Statistics) (*Statistics, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("calibrate: nothing to merge: %w", tensor.ErrMalformed)
	}
	out := &Statistics{Model: parts[0].Model, Preprocess: parts[0].Preprocess}
	at := map[key]int{}
	for _, p := range parts {
		if p.Model != out.Model {
			return nil, fmt.Errorf("calibrate: statistics of different models: %s and %s: %w", orUnknown(out.Model), orUnknown(p.Model), tensor.ErrMalformed)
		}
		if p.Preprocess != out.Preprocess {
			return nil, fmt.Errorf("calibrate: samples preprocessed by %q and by %q: %w", out.Preprocess, p.Preprocess, tensor.ErrMalformed)
		}
		out.Samples += p.Samples
		for _, t := range p.Tensors {
			i, ok := at[t.key()]
			if !ok {
				at[t.key()] = len(out.Tensors)
				out.Tensors = append(out.Tensors, t)
				continue
			}
			o := &out.Tensors[i]
			o.Count += t.Count
			o.Min, o.Max = min(o.Min, t.Min), max(o.Max, t.Max)
		}
	}
	slices.SortStableFunc(out.Tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(a.Subgraph, b.Subgraph), cmp.Compare(a.Index, b.Index), cmp.Compare(a.Name, b.Name))
	})
	return out, nil
}

func orUnknown(s string) string {
	if s == "" {
		return "an unknown one"
	}
	return s
}

type key struct {
	subgraph, index int
	name            string
}

func (t *Tensor) key() key { return key{t.Subgraph, t.Index, t.Name} }

// Bind returns the ranges of the model's float32 values, a map a subgraph. It
// fails with tensor.ErrMalformed if the statistics are of another model.
func (s *Statistics) Bind(m *graph.Model) ([]map[graph.ValueID]Range, error) {
	if have := Fingerprint(m); s.Model != "" && s.Model != have {
		return nil, fmt.Errorf("statistics of another model (%s, this one is %s): %w", s.Model, have, tensor.ErrMalformed)
	}
	named := map[string]Range{}
	out := make([]map[graph.ValueID]Range, len(m.Subgraphs))
	for i := range out {
		out[i] = map[graph.ValueID]Range{}
	}
	bound := false
	for _, t := range s.Tensors {
		if t.Index < 0 {
			named[t.Name] = t.Range
			continue
		}
		if t.Subgraph >= len(out) || t.Index >= len(m.Subgraphs[t.Subgraph].Values) || m.Subgraphs[t.Subgraph].Values[t.Index].Name != t.Name {
			return nil, fmt.Errorf("statistics of a tensor %d %q that the model does not have: %w", t.Index, t.Name, tensor.ErrMalformed)
		}
		out[t.Subgraph][graph.ValueID(t.Index)] = t.Range
		bound = true
	}
	for i, g := range m.Subgraphs {
		for v := range g.Values {
			if r, ok := named[g.Values[v].Name]; ok && isActivation(&g.Values[v]) {
				out[i][graph.ValueID(v)] = r
				bound = true
			}
		}
	}
	if !bound {
		return nil, fmt.Errorf("the statistics name no tensor of the model: %w", tensor.ErrMalformed)
	}
	return out, nil
}

func isActivation(v *graph.Value) bool { return v.DType == tensor.Float32 && !v.IsConst() }

// Fingerprint identifies a model's computation: its values' names, types, shapes
// and constants, and its nodes. It ignores metadata and how a file lays them out.
func Fingerprint(m *graph.Model) string {
	h := sha256.New()
	var scratch []byte
	put := func(n ...int) {
		scratch = scratch[:0]
		for _, x := range n {
			scratch = binary.AppendVarint(scratch, int64(x))
		}
		h.Write(scratch)
	}
	ids := func(list []graph.ValueID) {
		put(len(list))
		for _, v := range list {
			put(int(v))
		}
	}
	put(len(m.Subgraphs))
	for _, g := range m.Subgraphs {
		put(len(g.Values), len(g.Nodes))
		for i := range g.Values {
			v := &g.Values[i]
			put(len(v.Name), int(v.DType), len(v.Const), len(v.Partial()))
			h.Write([]byte(v.Name))
			put(v.Partial()...)
			h.Write(v.Const)
		}
		ids(g.Inputs)
		ids(g.Outputs)
		for i := range g.Nodes {
			n := &g.Nodes[i]
			put(int(n.Op), len(n.Custom))
			h.Write([]byte(n.Custom))
			ids(n.Inputs)
			ids(n.Outputs)
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)[:16])
}

// format names the file format.
const format = "litequant statistics 1"

// number is a float32 that JSON can hold: infinities are strings.
type number float32

func (n number) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(n), 0) {
		return strconv.AppendQuote(nil, strconv.FormatFloat(float64(n), 'g', -1, 32)), nil
	}
	return json.Marshal(float32(n))
}

func (n *number) UnmarshalJSON(b []byte) error {
	text := string(b)
	if s, err := strconv.Unquote(text); err == nil {
		text = s
	}
	f, err := strconv.ParseFloat(text, 32)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("%s is not a number", text)
	}
	*n = number(f)
	return nil
}

type jsonFile struct {
	Format     string       `json:"format"`
	Model      string       `json:"model,omitempty"`
	Samples    int          `json:"samples"`
	Preprocess string       `json:"preprocess,omitempty"`
	Tensors    []jsonTensor `json:"tensors"`
}

type jsonTensor struct {
	Subgraph int    `json:"subgraph"`
	Index    int    `json:"index"`
	Name     string `json:"name"`
	Count    int64  `json:"count"`
	Min      number `json:"min"`
	Max      number `json:"max"`
}

// Encode returns the statistics as a JSON file. Floats are the shortest decimals
// that read back to the same bits.
func (s *Statistics) Encode() ([]byte, error) {
	f := jsonFile{format, s.Model, s.Samples, s.Preprocess, make([]jsonTensor, len(s.Tensors))}
	for i, t := range s.Tensors {
		f.Tensors[i] = jsonTensor{t.Subgraph, t.Index, t.Name, t.Count, number(t.Min), number(t.Max)}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(f)
	return b.Bytes(), err
}

// Decode reads what Encode writes, or a plain map from tensor names to
// [minimum, maximum], the form in which TensorFlow's ranges are passed on. It
// fails with tensor.ErrMalformed.
func Decode(file []byte) (*Statistics, error) {
	s, err := decode(file)
	if err != nil {
		return nil, fmt.Errorf("calibration statistics: %w: %w", err, tensor.ErrMalformed)
	}
	return s, nil
}

// ReadFile is Decode of a named file.
func ReadFile(name string) (*Statistics, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	s, err := Decode(b)
	if err != nil {
		return nil, &graph.Error{File: name, Err: err}
	}
	return s, nil
}

func decode(file []byte) (*Statistics, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(file, &top); err != nil {
		return nil, err
	}
	var kind string
	if json.Unmarshal(top["format"], &kind) != nil {
		return decodePlain(top)
	}
	if kind != format {
		return nil, fmt.Errorf("format %q, want %q", kind, format)
	}
	var f jsonFile
	if err := json.Unmarshal(file, &f); err != nil {
		return nil, err
	}
	s := &Statistics{Model: f.Model, Samples: f.Samples, Preprocess: f.Preprocess}
	seen := map[key]bool{}
	for _, t := range f.Tensors {
		u := Tensor{t.Subgraph, t.Index, t.Name, t.Count, Range{float32(t.Min), float32(t.Max)}}
		if t.Subgraph < -1 || t.Index < -1 || (t.Subgraph < 0) != (t.Index < 0) || t.Count < 0 {
			return nil, fmt.Errorf("tensor %q: subgraph %d, index %d, count %d", t.Name, t.Subgraph, t.Index, t.Count)
		}
		if seen[u.key()] {
			return nil, fmt.Errorf("tensor %d %q occurs twice", t.Index, t.Name)
		}
		seen[u.key()] = true
		if err := u.check(); err != nil {
			return nil, err
		}
		s.Tensors = append(s.Tensors, u)
	}
	return s, nil
}

func (t *Tensor) check() error {
	if !(t.Min <= t.Max) { // NaN too
		return fmt.Errorf("tensor %q: range [%v, %v]", t.Name, t.Min, t.Max)
	}
	return nil
}

func decodePlain(top map[string]json.RawMessage) (*Statistics, error) {
	s := &Statistics{}
	for name, raw := range top {
		var r []number
		if err := json.Unmarshal(raw, &r); err != nil || len(r) != 2 {
			return nil, fmt.Errorf("tensor %q: want [minimum, maximum]", name)
		}
		t := Tensor{-1, -1, name, 0, Range{float32(r[0]), float32(r[1])}}
		if err := t.check(); err != nil {
			return nil, err
		}
		s.Tensors = append(s.Tensors, t)
	}
	slices.SortFunc(s.Tensors, func(a, b Tensor) int { return cmp.Compare(a.Name, b.Name) })
	return s, nil
}
