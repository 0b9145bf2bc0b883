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
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/tensor"
	"github.com/litequant/litequant/tflite"
)

// notYet says which runs of the zoo's models differ from LiteRT's, and why.
// A run that is listed and right fails the test, like one that is not and wrong.
var notYet = map[string]string{}

// zooBound is how far floats of a whole model may be from LiteRT's, in ulps of
// the output's largest value: many sums in another order, one after the other.
// Where such sums are rounded to integers within the model (dynamic range, fake
// quantization), a step may flip, and LiteRT's own kernels differ by more: there the
// fast engines may be zooSpread times as far off as those are from each other.
const zooBound, zooSpread = 32, 4

// zooGoldens is what gen_zoo.py wrote.
//
//go:embed testdata/zoo.json.gz
var zooGoldens []byte

// zooFile is what LiteRT makes of a file: a refusal or runs.
type zooFile struct {
	Refused string
	Runs    []zooRun
}

// zooRun is some invocations of one signature.
type zooRun struct {
	Signature string
	Resized   bool
	Refused   string
	Oracle    string
	Ints      [2]int64 // the range of 32- and 64-bit integer inputs
	In        []zooInput
	Out       []map[string]zooOutput // by invocation and name
}

type zooInput struct {
	name  string
	shape tensor.Shape
}

func (i *zooInput) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, &[]any{&i.name, &i.shape}) }

// zooOutput is what is kept of an output. Floats, complex numbers being two: Top, the
// largest finite magnitude, and evenly spaced elements in Data. Others: Sum, the head of the bytes' SHA-256,
// and the first elements in Data; strings count as their length (uint32) and bytes.
type zooOutput struct {
	Type     string
	Shape    tensor.Shape
	Unstable bool // LiteRT's own runs differ
	Top      float64
	Spread   float64 // how far LiteRT's other kernels are from these floats
	Sum      string
	Data     []byte
}

// readZoo returns the goldens by the files' SHA-256, a folder's own ones included.
func readZoo(t *testing.T, folder string) map[string]zooFile {
	archives := [][]byte{zooGoldens}
	if own, err := os.ReadFile(filepath.Join(folder, "zoo.json.gz")); err == nil {
		archives = append(archives, own)
	}
	zoo := map[string]zooFile{}
	for _, a := range archives {
		z, err := gzip.NewReader(bytes.NewReader(a))
		if err == nil {
			err = json.NewDecoder(z).Decode(&zoo)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return zoo
}

// TestZoo reads, writes and runs the models under LITEQUANT_MODELS. What LiteRT
// runs must run here, on every engine, with its results; what it refuses must run or
// be refused in one line.
func TestZoo(t *testing.T) {
	root := os.Getenv("LITEQUANT_MODELS")
	if root == "" {
		t.Skip("LITEQUANT_MODELS does not name a folder of .tflite files")
	}
	z := zoo{T: t, goldens: readZoo(t, root), count: map[string]int{}, worst: map[string]float64{}}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".tflite" {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		return z.file(filepath.ToSlash(name), path)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range slices.Sorted(maps.Keys(z.count)) {
		t.Logf("%4d %s", z.count[what], what)
	}
	for _, e := range slices.Sorted(maps.Keys(z.worst)) {
		t.Logf("%s: floats at most %.3g ulps off", e, z.worst[e])
	}
}

type zoo struct {
	*testing.T
	goldens map[string]zooFile
	count   map[string]int
	worst   map[string]float64 // by engine
}

func (z *zoo) file(name, path string) error {
	file, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	z.count["files"]++
	sum := sha256.Sum256(file)
	golden, known := z.goldens[hex.EncodeToString(sum[:])]
	switch {
	case !known:
		z.count["files that have no golden: read and written only"]++
		_, err = rewrite(file)
		z.oneLine(name, err)
	case golden.Refused != "":
		z.refused(name, file)
	default:
		z.runs(name, file, sum, golden.Runs)
	}
	return nil
}

// rewrite reads a file and writes it again; what it wrote must be stable.
func rewrite(file []byte) ([]byte, error) {
	m, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil {
		return nil, err
	}
	once, err := tflite.Encode(m)
	if err != nil {
		return nil, err
	}
	if m, err = tflite.Decode(once, tflite.DecodeOptions{}); err != nil {
		return nil, fmt.Errorf("what was written: %w", err)
	}
	twice, err := tflite.Encode(m)
	if err == nil && !bytes.Equal(once, twice) {
		err = errors.New("written twice, the files differ")
	}
	return once, err
}

func (z *zoo) oneLine(name string, err error) {
	if err == nil {
		return
	}
	known := false
	for _, sentinel := range []error{tensor.ErrMalformed, tensor.ErrUnsupported, tensor.ErrLimit, tensor.ErrShape, tensor.ErrType} {
		known = known || errors.Is(err, sentinel)
	}
	if s := err.Error(); !known || strings.Contains(s, "\n") {
		z.Errorf("%s: refused with %q", name, s)
	}
}

// refused handles a file that LiteRT does not run.
func (z *zoo) refused(name string, file []byte) {
	err := func() error {
		if _, err := rewrite(file); err != nil {
			return err
		}
		for _, e := range engines() {
			r, err := start(e, file, "")
			if err != nil {
				return err
			}
			if err := r.Invoke(context.Background()); err != nil {
				return err
			}
		}
		return nil
	}()
	z.oneLine(name, err)
	if z.count["files refused by LiteRT"]++; err == nil {
		z.count["files refused by LiteRT that run here"]++
		return
	}
	z.Logf("%s: refused: %v", name, err)
}

func start(e runnable, file []byte, signature string) (*engine.Runner, error) {
	m, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil {
		return nil, err
	}
	p, err := e.compile(m)
	if err != nil {
		return nil, err
	}
	return p.NewRunner(signature)
}

// runs compares a file's runs with LiteRT's. The reference engine takes the file as
// written here again, the others the original.
func (z *zoo) runs(name string, file []byte, sum [32]byte, runs []zooRun) {
	z.count["files that LiteRT runs"]++
	written, err := rewrite(file)
	if err != nil {
		z.Errorf("%s: %v", name, err)
		return
	}
	for i := range runs {
		run := &runs[i]
		if run.Refused != "" {
			continue
		}
		id := name + run.suffix()
		err := z.engines(run, file, written, binary.LittleEndian.Uint64(sum[:]))
		why, listed := notYet[id]
		switch {
		case err != nil && !listed:
			z.Errorf("%s: %v", id, err)
		case err == nil && listed:
			z.Errorf("%s is right but listed as %q", id, why)
		case listed:
			z.count["runs listed as not yet right"]++
			z.Logf("%s: %s: %v", id, why, err)
		default:
			z.count["runs like LiteRT's"]++
		}
	}
}

func (r *zooRun) suffix() string {
	s := ""
	if r.Signature != "" {
		s = "#" + r.Signature
	}
	if r.Resized {
		s += " resized"
	}
	return s
}

func (z *zoo) engines(run *zooRun, original, written []byte, seed uint64) error {
	for _, e := range engines() {
		file := written
		if e.fast {
			file = original
		}
		r, err := start(e, file, run.Signature)
		if err == nil {
			err = z.run(e.name, e.fast, r, run, seed)
		}
		if err != nil {
			return fmt.Errorf("%s engine: %w", e.name, err)
		}
	}
	return nil
}

func (z *zoo) run(engine string, fast bool, r *engine.Runner, run *zooRun, seed uint64) error {
	for _, in := range run.In {
		if err := r.Resize(in.name, in.shape); err != nil {
			return err
		}
	}
	s := stream{seed, run.Ints}
	for step, outputs := range run.Out {
		for _, in := range run.In {
			t, err := s.fill(r.Input(in.name).DType(), in.shape)
			if err != nil {
				return fmt.Errorf("input %q: %w", in.name, err)
			}
			if err := r.SetInput(position(r, in.name), t); err != nil {
				return err
			}
		}
		if err := r.Invoke(context.Background()); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(outputs)) {
			want := outputs[name]
			ulps, err := want.compare(r.Output(name))
			bound := float64(zooBound)
			if fast {
				bound = max(bound, zooSpread*want.Spread/ulpOf(want.Top))
			}
			if bound == zooBound {
				z.worst[engine] = max(z.worst[engine], ulps)
			}
			if err == nil && ulps > bound {
				err = fmt.Errorf("%.3g ulps off, %.3g are allowed", ulps, bound)
			}
			if err != nil {
				return fmt.Errorf("invocation %d, output %q: %w", step, name, err)
			}
		}
	}
	return nil
}

func position(r *engine.Runner, name string) int {
	if i := slices.Index(r.InputNames(), name); i >= 0 {
		return i
	}
	i := 0
	fmt.Sscan(name, &i)
	return i
}

// compare returns how far a float output is off, in ulps of its largest value.
func (w *zooOutput) compare(got tensor.Tensor) (ulps float64, err error) {
	if got.DType().String() != w.Type {
		return 0, fmt.Errorf("is %v, want %s", got.DType(), w.Type)
	}
	if w.Unstable {
		return 0, nil
	}
	if !got.Shape().Equal(w.Shape) {
		return 0, fmt.Errorf("is of shape %v, want %v", got.Shape(), w.Shape)
	}
	if w.Sum == "" {
		return w.compareFloats(tensor.View[float32](got.Bytes()))
	}
	raw, err := plainBytes(got)
	if err != nil {
		return 0, err
	}
	if sum := sha256.Sum256(raw); hex.EncodeToString(sum[:8]) != w.Sum {
		return 0, fmt.Errorf("differs: starts with %x, want %x", raw[:min(len(raw), len(w.Data))], w.Data)
	}
	return 0, nil
}

// plainBytes is a tensor's bytes, its strings one after the other with their lengths.
func plainBytes(t tensor.Tensor) ([]byte, error) {
	if t.DType() != tensor.String {
		return t.Bytes(), nil
	}
	list, err := t.Strings()
	var raw []byte
	for _, s := range list {
		raw = append(binary.LittleEndian.AppendUint32(raw, uint32(len(s))), s...)
	}
	return raw, err
}

func (w *zooOutput) compareFloats(got []float32) (ulps float64, err error) {
	ulp := math.Max(ulpOf(w.Top), math.SmallestNonzeroFloat32)
	top := 0.0
	for _, v := range got {
		if a := math.Abs(float64(v)); a <= math.MaxFloat32 {
			top = max(top, a)
		}
	}
	ulps = math.Abs(top-w.Top) / ulp
	want := tensor.View[float32](append(tensor.Aligned(0), w.Data...))
	for i, b := range want {
		at := i * len(got) / len(want)
		a, b := float64(got[at]), float64(b)
		switch {
		case a == b || a != a && b != b:
		case math.IsInf(a, 0) || math.IsInf(b, 0) || a != a || b != b:
			return ulps, fmt.Errorf("element %d is %v, want %v", at, a, b)
		default:
			ulps = max(ulps, math.Abs(a-b)/ulp)
		}
	}
	return ulps, nil
}

// stream is gen_zoo.py's source of inputs.
type stream struct {
	state uint64
	ints  [2]int64
}

func (s *stream) draw() uint64 {
	s.state += 0x9e3779b97f4a7c15
	x := s.state
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (s *stream) float() float64 { return math.Ldexp(float64(s.draw()>>40), -22) - 2 }

func (s *stream) wide() int64 {
	return s.ints[0] + int64(s.draw()>>32*uint64(s.ints[1]-s.ints[0])>>32)
}

// narrow returns a signed integer's bits.
func (s *stream) narrow(bits int) uint64 {
	if s.ints[0] >= 0 {
		bits--
	}
	return s.draw() >> (64 - bits)
}

func (s *stream) text() string {
	d := s.draw()
	b := make([]byte, 1+d>>61)
	for i := range b {
		b[i] = 'a' + byte(d>>(4*i)&15)
	}
	return string(b)
}

func (s *stream) fill(d tensor.DType, shape tensor.Shape) (tensor.Tensor, error) {
	switch d {
	case tensor.Float32:
		return filled(shape, func() float32 { return float32(s.float()) })
	case tensor.Int8:
		return filled(shape, func() int8 { return int8(s.narrow(8)) })
	case tensor.UInt8:
		return filled(shape, func() uint8 { return uint8(s.draw() >> 56) })
	case tensor.Int16:
		return filled(shape, func() int16 { return int16(s.narrow(16)) })
	case tensor.UInt16:
		return filled(shape, func() uint16 { return uint16(s.draw() >> 48) })
	case tensor.Int32:
		return filled(shape, func() int32 { return int32(s.wide()) })
	case tensor.UInt32:
		return filled(shape, func() uint32 { return uint32(s.wide()) })
	case tensor.Int64:
		return filled(shape, s.wide)
	case tensor.UInt64:
		return filled(shape, func() uint64 { return uint64(s.wide()) })
	case tensor.Float64:
		return filled(shape, s.float)
	case tensor.Bool:
		return filled(shape, func() bool { return s.draw()>>63 != 0 })
	case tensor.Complex64:
		return filled(shape, func() complex64 { return complex(float32(s.float()), float32(s.float())) })
	case tensor.Float16:
		t, err := filled(shape, func() uint16 { return tensor.Float32ToFloat16(float32(s.float())) })
		return tensor.Raw(d, shape, tensor.Quant{}, t.Bytes()), err
	case tensor.String:
		n, err := shape.Elems()
		if err != nil {
			return tensor.Tensor{}, err
		}
		list := make([]string, n)
		for i := range list {
			list[i] = s.text()
		}
		return tensor.OfStrings(shape, list...)
	}
	return tensor.Tensor{}, fmt.Errorf("no inputs of type %v: %w", d, tensor.ErrUnsupported)
}

func filled[T tensor.Element](shape tensor.Shape, next func() T) (tensor.Tensor, error) {
	n, err := shape.Elems()
	if err != nil {
		return tensor.Tensor{}, err
	}
	v := make([]T, n)
	for i := range v {
		v[i] = next()
	}
	return tensor.Of(shape, v...)
}
