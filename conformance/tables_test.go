package conformance

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

//go:embed testdata/tables.json.gz
var tables []byte

// TestTables holds functions of one integer to LiteRT's results for every value that
// the integer can have. gen_tables.py writes them.
func TestTables(t *testing.T) {
	var rows []struct {
		Name  string
		Model []byte
		Sum   string
	}
	z, err := gzip.NewReader(bytes.NewReader(tables))
	if err == nil {
		err = json.NewDecoder(z).Decode(&rows)
	}
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, row := range rows {
		for _, e := range engines() {
			if sum, err := e.table(row.Model); err != nil || sum != row.Sum {
				t.Errorf("%s, %s: %v; results hash to %s, want %s", row.Name, e.name, err, sum, row.Sum)
			}
		}
		operator, rest, _ := strings.Cut(row.Name, "/")
		dtype, _, _ := strings.Cut(rest, "/")
		counts[operator+" "+dtype]++
	}
	t.Logf("%d tables equal in every entry: %v", len(rows), counts)
}

// table runs a model over all values of its input's type and returns the SHA-256 of
// the results.
func (e *runnable) table(file []byte) (sum string, err error) {
	m, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil {
		return "", err
	}
	p, err := e.compile(m)
	if err != nil {
		return "", err
	}
	r, err := p.NewRunner("")
	if err != nil {
		return "", err
	}
	fillAll(r)
	if err := r.Invoke(context.Background()); err != nil {
		return "", err
	}
	h := sha256.Sum256(r.OutputAt(0).Bytes())
	return hex.EncodeToString(h[:]), nil
}

// fillAll writes the values of the input's type, from the lowest on.
func fillAll(r *engine.Runner) {
	in := r.InputAt(0)
	b := in.Bytes()
	for i := range in.Len() {
		switch in.DType() {
		case tensor.Int8:
			b[i] = byte(i + math.MinInt8)
		case tensor.UInt8:
			b[i] = byte(i)
		case tensor.Int16:
			binary.LittleEndian.PutUint16(b[2*i:], uint16(i+math.MinInt16))
		}
	}
}
