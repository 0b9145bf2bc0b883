package lower

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/litequant/litequant/graph"
)

// tutorial returns the folder of the tutorial's files, which LITEQUANT_TUTORIAL
// names; they are too large for the repository.
func tutorial(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("LITEQUANT_TUTORIAL")
	if dir == "" {
		t.Skip("LITEQUANT_TUTORIAL does not name the tutorial's files")
	}
	return dir
}

func TestTutorialEqualsTensorFlows(t *testing.T) {
	dir := tutorial(t)
	m := lowered(t, dir, "tf2.21/saved_model", "serving_default")
	want := readGolden(t, filepath.Join(dir, "tf2.21/float.tflite"))
	equalModels(t, want, m)
	names := map[string]bool{}
	for _, v := range m.Main().Values {
		names[v.Name] = true
	}
	for _, v := range want.Main().Values {
		if !names[v.Name] {
			t.Errorf("no tensor is named %q", v.Name)
		}
	}
}

// The module alone is the tutorial's network without the layer behind it, which
// takes its last bias.
func TestHubModuleEqualsTensorFlows(t *testing.T) {
	dir := tutorial(t)
	m, want := lowered(t, dir, "hub_tf1", "default"), readGolden(t, filepath.Join(dir, "tf2.21/float.tflite"))
	s := want.Main()
	s.Nodes = s.Nodes[:7]
	for i := range s.Nodes[:6] {
		a, b := &s.Nodes[i], &m.Main().Nodes[i]
		if a.Op != b.Op || options(a.Options) != options(b.Options) {
			t.Errorf("node %d is %d %v, want %d %v", i, b.Op, options(b.Options), a.Op, options(a.Options))
		}
	}
	equalConstants(t, s, m.Main())
	last := &m.Main().Nodes[6]
	if b := m.Main().Value(last.Inputs[2]); b.Name != "fc4/add" || b.Param == nil || b.Param.Name != "fc4/biases" {
		t.Errorf("last bias is %q %v", b.Name, b.Param)
	}
	g := graph.Signature{Key: "serving_default", Inputs: []graph.NamedValue{{Name: "default", Value: m.Main().Inputs[0]}},
		Outputs: []graph.NamedValue{{Name: "default", Value: m.Main().Outputs[0]}}}
	if d := cmp.Diff([]graph.Signature{g}, m.Signatures); d != "" {
		t.Error(d)
	}
	if n := m.Main().Value(m.Main().Inputs[0]).Name; n != "serving_default_default:0" {
		t.Errorf("input is named %q", n)
	}
}

// In training the module's and the layer's parameters stay apart and whole.
func TestTutorialInTraining(t *testing.T) {
	m, err := lower(tutorial(t), "tf2.21/saved_model", "serving_default", Options{Train: true})
	if err != nil {
		t.Fatal(err)
	}
	params := 0
	for _, v := range m.Main().Values {
		if v.Param != nil {
			params++
		}
	}
	if params != 10 || len(m.Main().Nodes) != 9 {
		t.Errorf("%d parameters in %d nodes, want 10 in 9", params, len(m.Main().Nodes))
	}
}
