package litequant

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// layers lists the packages of the module, lowest first: a package imports only
// packages on lines above its own. Packages on one line do not import each other,
// except that "op/…" families share op, window and elementwise.
var layers = []string{
	"tensor",
	"internal/libm internal/atomicfile internal/fusecheck internal/philox internal/farmhash internal/flexbuffers",
	"internal/fixed",
	"internal/schema/fb",
	"internal/schema",
	"graph",
	"op",
	"op/window op/elementwise",
	"op/...",
	"op/all",
	"tflite",
	"internal/npy internal/hdf5 internal/savedmodel/pb internal/simd",
	"internal/idx",
	"internal/savedmodel",
	"internal/exec/fast",
	"internal/exec/fasttrain",
	"engine",
	"internal/pass",
	"internal/lower",
	"hub",
	"keras",
	"dataset metric",
	"dataset/mnist",
	"internal/grad",
	"calibrate",
	"quantize",
	"train",
	"evaluate",
	".",
	"internal/opdoc",
	"cmd/...",
	"conformance/...",
}

const module = "github.com/litequant/litequant"

// layerOf returns the line of a package, -1 if it is on none.
func layerOf(pkg string) int {
	for i, l := range layers {
		for _, p := range strings.Fields(l) {
			if p == pkg {
				return i
			}
		}
	}
	for i, l := range layers {
		for _, p := range strings.Fields(l) {
			if dir, ok := strings.CutSuffix(p, "/..."); ok && (pkg == dir || strings.HasPrefix(pkg, dir+"/")) {
				return i
			}
		}
	}
	return -1
}

type listed struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T, args ...string) []listed {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports"}, args...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var pkgs []listed
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func inModule(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

func TestImportOrder(t *testing.T) {
	for _, p := range list(t, "./...") {
		pkg, _ := inModule(p.ImportPath)
		own := layerOf(pkg)
		if own < 0 {
			t.Errorf("package %s has no place in the order of imports_test.go", pkg)
			continue
		}
		for _, imp := range p.Imports {
			if dep, ok := inModule(imp); ok && layerOf(dep) >= own && !sameFamily(pkg, dep) {
				t.Errorf("%s imports %s, which is not below it", pkg, dep)
			}
		}
	}
}

// sameFamily allows packages of one directory tree to build on each other.
func sameFamily(a, b string) bool {
	top := func(s string) string { d, _, _ := strings.Cut(s, "/"); return d }
	return top(a) == top(b) && (top(a) == "op" || top(a) == "cmd" || top(a) == "conformance")
}

// TestRuntimeIsSmall holds that a program which only runs models links no
// importer, trainer or quantizer, nor the libraries they need.
func TestRuntimeIsSmall(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"/tflite", module+"/engine").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := layerOf("engine")
	for _, path := range strings.Fields(string(out)) {
		pkg, own := inModule(path)
		switch {
		case own && (layerOf(pkg) > allowed || strings.Contains(pkg, "train") || pkg == "internal/hdf5" || pkg == "internal/savedmodel"):
			t.Errorf("a runtime links %s", pkg)
		case !own && !standard(path) && !strings.HasPrefix(path, "github.com/google/flatbuffers") && !strings.HasPrefix(path, "golang.org/x/sys"):
			t.Errorf("a runtime links %s", path)
		}
	}
}

// standard reports whether a package is of Go's standard library: no host name.
func standard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}
