package quantize

import (
	"bytes"
	"hash/maphash"
	"reflect"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
)

const (
	conversionMetadata = "CONVERSION_METADATA"
	reducedPrecision   = "reduced_precision_support"
)

// stale lists the metadata that describe the float model: versions, and what
// speaks of operators by number.
var stale = map[string]bool{
	"min_runtime_version":        true,
	reducedPrecision:             true,
	conversionMetadata:           true,
	"model_control_dependencies": true,
	"debug_metadata":             true,
}

// finish brings the parts of the model outside its subgraphs up to date.
func finish(m *graph.Model, ops op.Set, s row) error {
	m.File = nil
	for _, g := range m.Subgraphs {
		g.File = nil
	}
	shareConstants(m)
	setVersions(m, ops)
	var kept []graph.Metadata
	for _, d := range m.Metadata {
		if !stale[d.Name] {
			kept = append(kept, d)
		}
	}
	if s.scheme == Float16 {
		kept = append(kept, graph.Metadata{Name: reducedPrecision, Data: []byte("fp16accfp32")})
	}
	blob, err := conversion(m.MetadataOf(conversionMetadata), s.mode)
	if err != nil {
		return err
	}
	m.Metadata = append(kept, graph.Metadata{Name: conversionMetadata, Data: blob})
	return nil
}

// conversion returns the conversion metadata of the float model with the
// optimization mode added.
func conversion(old []byte, mode fb.ModelOptimizationMode) ([]byte, error) {
	t := &fb.ConversionMetadataT{}
	if old != nil && schema.VerifyConversionMetadata(old, schema.Limits{}) == nil {
		t = schema.UnpackConversionMetadata(old)
	}
	if t.Environment == nil {
		t.Environment = &fb.EnvironmentT{}
	}
	if t.Options == nil {
		t.Options = &fb.ConversionOptionsT{}
	}
	t.Options.ModelOptimizationModes = []fb.ModelOptimizationMode{mode}
	return schema.PackConversionMetadata(t)
}

// shareConstants lets constants of equal bytes share their memory, and in a file
// their buffer.
func shareConstants(m *graph.Model) {
	seed := maphash.MakeSeed()
	seen := map[uint64][]byte{}
	for _, g := range m.Subgraphs {
		for i := range g.Values {
			v := &g.Values[i]
			if len(v.Const) == 0 {
				continue
			}
			h := maphash.Bytes(seed, v.Const)
			if first, ok := seen[h]; !ok {
				seen[h] = v.Const
			} else if bytes.Equal(first, v.Const) {
				v.Const = first
			}
		}
	}
}

// setVersions leaves the operators' versions to their rows, but never below the
// float model's.
func setVersions(m *graph.Model, ops op.Set) {
	type kind struct {
		op     graph.OpCode
		custom string
	}
	floor, derived := map[kind]int{}, map[kind]int{}
	each := func(f func(g *graph.Subgraph, n *graph.Node, k kind)) {
		for _, g := range m.Subgraphs {
			for i := range g.Nodes {
				n := &g.Nodes[i]
				f(g, n, kind{n.Op, n.Custom})
			}
		}
	}
	each(func(g *graph.Subgraph, n *graph.Node, k kind) {
		floor[k] = max(floor[k], n.Version)
		d, err := ops.Lookup(n)
		if err != nil || d.Version == nil {
			return
		}
		if c := declared(g, n); d.Check(c) == nil {
			derived[k] = max(derived[k], d.Version(c))
		}
	})
	each(func(_ *graph.Subgraph, n *graph.Node, k kind) {
		n.Version = 0
		if floor[k] > derived[k] {
			n.Version = floor[k]
		}
	})
}

// setOption sets a field of a node's options if they have it; the struct is
// copied, since the float model shares it.
func setOption(n *graph.Node, field string, value any) {
	old := reflect.ValueOf(n.Options)
	if old.Kind() != reflect.Pointer || old.IsNil() || !old.Elem().FieldByName(field).IsValid() {
		return
	}
	opts := reflect.New(old.Type().Elem())
	opts.Elem().Set(old.Elem())
	opts.Elem().FieldByName(field).Set(reflect.ValueOf(value))
	n.Options = opts.Interface()
}

// declared is a node's call as far as the declarations of its values go.
func declared(g *graph.Subgraph, n *graph.Node) *op.Call {
	facts := func(list []graph.ValueID) []op.Fact {
		out := make([]op.Fact, len(list))
		for i, v := range list {
			if v != graph.None {
				out[i] = op.Declared(g.Value(v))
			}
		}
		return out
	}
	return &op.Call{Node: n, In: facts(n.Inputs), Out: facts(n.Outputs)}
}
