package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/litequant/litequant/tensor"
)

// verdicts.json holds LiteRT's verdict on small changes of the goldens. Verify
// gives the same one but for the three cases that its doc names.
func TestVerifyAgreesWithLiteRT(t *testing.T) {
	var changes [][4]any // file, offset, byte, accepted
	if err := json.Unmarshal(readGolden(t, "verdicts.json"), &changes); err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		name, at, b, accepted := c[0].(string), int(c[1].(float64)), byte(c[2].(float64)), c[3].(bool)
		file := bytes.Clone(readGolden(t, name+".tflite"))
		file[at] = b
		err := Verify(file, Limits{})
		if (err == nil) != accepted && !stricter(err) {
			t.Errorf("%s with byte %d = %d: %v; LiteRT accepts: %v", name, at, b, err, accepted)
		}
	}
}

func stricter(err error) bool {
	return err != nil && (errors.Is(err, tensor.ErrUnsupported) ||
		strings.Contains(err.Error(), "vtable of") || strings.Contains(err.Error(), "offset is zero"))
}
