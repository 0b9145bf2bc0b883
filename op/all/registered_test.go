package all_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/all"
)

// resolver is what one of LiteRT's resolvers knows: the lowest and highest version
// by operator, and custom operators.
type resolver struct {
	Operators map[string][2]int
	Custom    []string
}

// exceptions are rows that differ from what LiteRT registers on purpose, and why.
var exceptions = map[string]string{
	"CALL":       "in the schema; LiteRT's kernel for it is none of its resolvers'",
	"DEQUANTIZE": "version 9 is float8, which the released kernel refuses",
}

// TestRegistered compares the rows with what LiteRT registers, in either resolver:
// each operator has a row that knows all versions, and other rows do not exist.
func TestRegistered(t *testing.T) {
	raw, err := os.ReadFile("testdata/registered.json")
	if err != nil {
		t.Fatal(err)
	}
	var litert map[string]resolver
	if err := json.Unmarshal(raw, &litert); err != nil {
		t.Fatal(err)
	}
	builtin, custom := map[string]int{}, map[string]bool{}
	for _, r := range litert {
		for name, versions := range r.Operators {
			builtin[name] = max(builtin[name], versions[1])
		}
		for _, name := range r.Custom {
			custom[name] = true
		}
	}
	rows := map[string]*op.Def{}
	for _, d := range all.Set().All() {
		rows[d.Name] = d
		known := builtin[d.Name]
		if ok := d.Code == graph.Custom || known > 0 && len(d.Since) >= known; ok != (exceptions[d.Name] == "") {
			t.Errorf("%s knows %d versions, LiteRT registers %d; exception %q", d.Name, len(d.Since), known, exceptions[d.Name])
		}
	}
	for name := range builtin {
		if rows[name] == nil {
			t.Errorf("%s has no row", name)
		}
	}
	for name := range custom {
		if rows[name] == nil {
			t.Errorf("custom operator %s has no row", name)
		}
	}
}
