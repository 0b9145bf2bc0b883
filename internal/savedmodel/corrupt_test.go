package savedmodel

import (
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/litequant/litequant/internal/savedmodel/pb"
	"github.com/litequant/litequant/tensor"
)

const (
	indexFile = "m/variables/variables.index"
	shardFile = "m/variables/variables.data-00000-of-00001"
)

// readAll loads a model and reads and freezes all it offers.
func readAll(fsys fs.FS) error {
	m, err := Load(fsys, "m", nil)
	if err != nil {
		return err
	}
	var errs []error
	for _, v := range m.Variables() {
		_, err := m.Value(v)
		errs = append(errs, err)
	}
	if m.bundle != nil {
		for _, key := range m.bundle.Keys() {
			_, err := m.bundle.Tensor(key)
			errs = append(errs, err)
		}
	}
	sigs, err := m.Signatures()
	errs = append(errs, err)
	for _, s := range sigs {
		g, err := Freeze(m, s.Key)
		if err == nil {
			err = checkGraph(g)
		}
		errs = append(errs, err)
	}
	for _, path := range []string{"__call__", "signatures/serving_default"} {
		fns, err := m.Functions(path)
		if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		for _, f := range fns {
			_, err := FreezeFunction(m, f)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// checkGraph verifies what Graph promises.
func checkGraph(g *Graph) error {
	for i, n := range g.Nodes {
		for _, r := range n.Inputs {
			if r.Node < 0 || r.Node >= i || r.Output < 0 {
				return errors.New("node " + n.Name + " is not in topological order")
			}
		}
		if (n.Op == opConst) != (n.Value != nil) {
			return errors.New("constant " + n.Name + " has no value")
		}
		for _, b := range n.Bodies {
			if err := checkGraph(b); err != nil {
				return err
			}
		}
	}
	for i, p := range g.Inputs {
		if p.Ref != (Ref{Node: i}) {
			return errors.New("inputs do not come first")
		}
	}
	for _, p := range g.Outputs {
		if p.Ref.Node < 0 || p.Ref.Node >= len(g.Nodes) {
			return errors.New("output outside the graph")
		}
	}
	return nil
}

func TestIntactIsReadWhole(t *testing.T) {
	for _, name := range []string{"hub_tf1", "keras3"} {
		if err := readAll(files(t, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestTruncated cuts each file at every length; only the model file may, at the
// end of a field, still be one.
func TestTruncated(t *testing.T) {
	m := files(t, "hub_tf1")
	for _, name := range []string{indexFile, shardFile} {
		whole := m[name].Data
		for n := range whole {
			m[name] = &fstest.MapFile{Data: whole[:n]}
			if err := readAll(m); err == nil || !strings.Contains(err.Error(), "m/variables/variables") {
				t.Fatalf("%s cut to %d bytes: %v", name, n, err)
			}
		}
		m[name] = &fstest.MapFile{Data: whole}
	}
	whole := m["m/saved_model.pb"].Data
	for n := 0; n < len(whole); n += 13 {
		m["m/saved_model.pb"] = &fstest.MapFile{Data: whole[:n]}
		if err := readAll(m); err == nil {
			t.Fatalf("saved_model.pb cut to %d bytes is accepted", n)
		}
	}
}

// TestFlippedBits changes every byte of the checkpoint: checksums find it all,
// but for the checksum-less footer's padding.
func TestFlippedBits(t *testing.T) {
	m := files(t, "keras3")
	for _, name := range []string{indexFile, shardFile} {
		whole := m[name].Data
		undetected := 0
		for i := range whole {
			b := bytes.Clone(whole)
			b[i] ^= 1 << (i % 8)
			m[name] = &fstest.MapFile{Data: b}
			err := readAll(m)
			if err == nil {
				undetected++
			} else if !errors.Is(err, tensor.ErrMalformed) && !errors.Is(err, tensor.ErrUnsupported) {
				t.Fatalf("byte %d of %s: %v", i, name, err)
			}
		}
		if limit := map[string]int{indexFile: footerSize + 8 + blockTrailer, shardFile: 0}[name]; undetected > limit {
			t.Errorf("%s: %d flipped bits are not found", name, undetected)
		}
		m[name] = &fstest.MapFile{Data: whole}
	}
}

func TestHostileModels(t *testing.T) {
	node := func(name, op string, inputs ...string) *pb.NodeDef {
		return &pb.NodeDef{Name: name, Op: op, Input: inputs}
	}
	calls := func(depth, width int) *pb.GraphDef {
		g := &pb.GraphDef{Library: &pb.FunctionDefLibrary{}}
		name := func(i int) string { return "f" + string(rune('A'+i)) }
		arg := []*pb.OpDef_ArgDef{{Name: "x", Type: pb.DataType_DT_FLOAT}}
		for i := range depth {
			f := &pb.FunctionDef{Signature: &pb.OpDef{Name: name(i), InputArg: arg, OutputArg: []*pb.OpDef_ArgDef{{Name: "y"}}}}
			last := "x"
			for k := range width {
				n := node("c"+string(rune('a'+k)), name((i+1)%depth), last)
				f.NodeDef = append(f.NodeDef, n)
				last = n.Name + ":y:0"
			}
			f.Ret = map[string]string{"y": last}
			g.Library.Function = append(g.Library.Function, f)
		}
		g.Node = []*pb.NodeDef{node("x", "Placeholder"), node("out", name(0), "x")}
		return g
	}
	exponential := calls(40, 2)
	exponential.Library.Function[39].NodeDef = nil
	exponential.Library.Function[39].Ret = map[string]string{"y": "x"}
	huge := &pb.GraphDef{Node: []*pb.NodeDef{node("c", "Const"), node("out", "Relu", "c")}}
	huge.Node[0].Attr = map[string]*pb.AttrValue{"value": {Value: &pb.AttrValue_Tensor{Tensor: &pb.TensorProto{
		Dtype: pb.DataType_DT_FLOAT, FloatVal: []float32{1}, TensorShape: shapeProto(tensor.Shape{1 << 30}),
	}}}}
	chain := &pb.GraphDef{Node: []*pb.NodeDef{node("n0", "Placeholder")}}
	for i := range 200_000 {
		chain.Node = append(chain.Node, node("n"+strconv.Itoa(i+1), "Relu", "n"+strconv.Itoa(i)))
	}
	cases := []struct {
		name string
		g    *pb.GraphDef
		want error
	}{
		{"recursion", calls(1, 1), tensor.ErrLimit},
		{"exponential calls", exponential, tensor.ErrLimit},
		{"huge constant", huge, tensor.ErrLimit},
		{"long chain", chain, nil},
		{"cycle", &pb.GraphDef{Node: []*pb.NodeDef{node("a", "Relu", "b"), node("b", "Relu", "a"), node("out", "Relu", "a")}}, tensor.ErrUnsupported},
		{"missing input", &pb.GraphDef{Node: []*pb.NodeDef{node("out", "Relu", "a")}}, tensor.ErrMalformed},
		{"same name", &pb.GraphDef{Node: []*pb.NodeDef{node("a", "Relu", "b"), node("a", "Relu", "b")}}, tensor.ErrMalformed},
		{"no nodes", &pb.GraphDef{}, tensor.ErrMalformed},
		{"missing function", &pb.GraphDef{Node: []*pb.NodeDef{node("x", "Placeholder"), node("out", "PartitionedCall", "x")}}, tensor.ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			raw, err := proto.Marshal(c.g)
			if err != nil {
				t.Fatal(err)
			}
			m, err := ParseGraphDef("g.pb", raw)
			if err == nil {
				_, err = FreezeArrays(m, nil, nil)
			}
			if !errors.Is(err, c.want) || err != nil && !strings.HasPrefix(err.Error(), "g.pb: ") {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

// archive hides ReadAt, as files of an archive do.
type archive struct{ fs.FS }

func (a archive) Open(name string) (fs.File, error) {
	f, err := a.FS.Open(name)
	return struct{ fs.File }{f}, err
}

func TestSequentialFiles(t *testing.T) {
	if err := readAll(archive{files(t, "hub_tf1")}); err != nil {
		t.Error(err)
	}
}

// TestTableBytes has the bytes of LevelDB's format for one entry: a→b.
func TestTableBytes(t *testing.T) {
	got := appendTable(nil, []entry{{"a", []byte("b")}})
	block := []byte{0, 1, 1, 'a', 'b', 0, 0, 0, 0, 1, 0, 0, 0, 0}
	if !bytes.HasPrefix(got, block) {
		t.Errorf("% x", got[:14])
	}
	// The check value of CRC-32C; its bits rotated by 15, plus 0xa282ead8.
	if c := crc32.Checksum([]byte("123456789"), castagnoli); c != 0xe3069283 || maskCRC(c) != 0xc78ab0e5 {
		t.Errorf("%x %x", c, maskCRC(c))
	}
}

func TestTableProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.MapOf(rapid.StringN(0, 40, -1), rapid.SliceOfN(rapid.Byte(), 0, 60)).Draw(t, "entries")
		var entries []entry
		for k, v := range m {
			entries = append(entries, entry{k, v})
		}
		got, err := parseTable(appendTable(nil, entries))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(m) {
			t.Fatalf("%d of %d entries", len(got), len(m))
		}
		for _, e := range got {
			if v, ok := m[e.key]; !ok || !bytes.Equal(v, e.value) {
				t.Fatalf("%q: %v", e.key, e.value)
			}
		}
	})
}

// TestTableBlocks writes more than a block holds.
func TestTableBlocks(t *testing.T) {
	var entries []entry
	for i := range 30_000 {
		entries = append(entries, entry{"layer/" + strconv.Itoa(i), bytes.Repeat([]byte{byte(i)}, 30)})
	}
	raw := appendTable(nil, entries)
	got, err := parseTable(raw)
	if err != nil || len(got) != len(entries) || len(raw) < 3*blockSize {
		t.Fatal(len(got), len(raw), err)
	}
}

// TestTensorProperty: any tensor survives a constant and a checkpoint.
func TestTensorProperty(t *testing.T) {
	var types []tensor.DType
	for _, d := range dtypes {
		if wireWidth(d) > 0 {
			types = append(types, d)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SampledFrom(types).Draw(t, "type")
		shape := tensor.Shape(rapid.SliceOfN(rapid.IntRange(0, 5), 0, 4).Draw(t, "shape"))
		n, err := shape.Elems()
		if err != nil {
			t.Fatal(err)
		}
		wire := rapid.SliceOfN(rapid.Byte(), n*wireWidth(d), n*wireWidth(d)).Draw(t, "bytes")
		v, err := fromWire(d, shape, wire)
		if err != nil {
			t.Fatal(err)
		}
		got, err := TensorOf(TensorProto(v))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v, got, compareTensors); diff != "" && n > 0 {
			t.Fatal(diff)
		}
		var shard bytes.Buffer
		w := &bundleWriter{w: &shard}
		if err := errors.Join(w.addString("s", wire), w.add("v", v)); err != nil {
			t.Fatal(err)
		}
		index, err := w.index()
		if err != nil {
			t.Fatal(err)
		}
		b, err := OpenBundle(fstest.MapFS{"c.index": {Data: index}, "c.data-00000-of-00001": {Data: shard.Bytes()}}, "c")
		if err != nil {
			t.Fatal(err)
		}
		got, err = b.Tensor("v")
		s, err2 := b.Strings("s")
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(v, got, compareTensors); diff != "" && n > 0 || !bytes.Equal(s[0], wire) {
			t.Fatal(diff)
		}
	})
}

// TestTypedConstants checks the lists of a TensorProto against values by hand.
func TestTypedConstants(t *testing.T) {
	shape := shapeProto(tensor.Shape{3})
	cases := []struct {
		p    *pb.TensorProto
		want []float32
	}{
		{&pb.TensorProto{Dtype: pb.DataType_DT_FLOAT, FloatVal: []float32{1, 2}}, []float32{1, 2, 2}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_FLOAT}, []float32{0, 0, 0}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_DOUBLE, DoubleVal: []float64{1.5}}, []float32{1.5, 1.5, 1.5}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_INT32, IntVal: []int32{-1, 2, math.MaxInt32}}, []float32{-1, 2, math.MaxInt32}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_INT8, IntVal: []int32{-1, 2}}, []float32{-1, 2, 2}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_UINT8, IntVal: []int32{255}}, []float32{255, 255, 255}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_INT16, IntVal: []int32{-300}}, []float32{-300, -300, -300}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_UINT16, IntVal: []int32{65535}}, []float32{65535, 65535, 65535}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_INT64, Int64Val: []int64{-5}}, []float32{-5, -5, -5}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_UINT32, Uint32Val: []uint32{7}}, []float32{7, 7, 7}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_UINT64, Uint64Val: []uint64{8}}, []float32{8, 8, 8}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_BOOL, BoolVal: []bool{true, false}}, []float32{1, 0, 0}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_HALF, HalfVal: []int32{0x3c00}}, []float32{1, 1, 1}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_BFLOAT16, HalfVal: []int32{0x3f80}}, []float32{1, 1, 1}},
		{&pb.TensorProto{Dtype: pb.DataType_DT_INT4, IntVal: []int32{-8, 7}}, []float32{-8, 7, 7}},
	}
	for _, c := range cases {
		c.p.TensorShape = shape
		got, err := TensorOf(c.p)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got.Float32s()); diff != "" {
			t.Errorf("%v: %s", c.p.Dtype, diff)
		}
	}
	for _, p := range []*pb.TensorProto{
		{Dtype: pb.DataType_DT_FLOAT, TensorShape: shape, FloatVal: make([]float32, 4)},
		{Dtype: pb.DataType_DT_FLOAT, TensorShape: shape, TensorContent: make([]byte, 11)},
		{Dtype: pb.DataType_DT_FLOAT, TensorShape: &pb.TensorShapeProto{UnknownRank: true}},
		{Dtype: pb.DataType_DT_STRING, TensorShape: shape, StringVal: make([][]byte, 4)},
	} {
		if _, err := TensorOf(p); !errors.Is(err, tensor.ErrMalformed) {
			t.Errorf("%v: %v", p, err)
		}
	}
	s, err := TensorOf(&pb.TensorProto{Dtype: pb.DataType_DT_STRING, TensorShape: shapeProto(tensor.Shape{2}), StringVal: [][]byte{[]byte("ab")}})
	if err != nil || string(s.Bytes()) != "\x02\x00\x00\x00\x10\x00\x00\x00\x12\x00\x00\x00\x14\x00\x00\x00abab" {
		t.Errorf("%q %v", s.Bytes(), err)
	}
}

func FuzzBundle(f *testing.F) {
	m := files(f, "hub_tf1")
	f.Add(m[indexFile].Data, m[shardFile].Data)
	shard := &bytes.Buffer{}
	w := &bundleWriter{w: shard}
	if err := w.addString("s", []byte("text")); err != nil {
		f.Fatal(err)
	}
	index, err := w.index()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(index, shard.Bytes())
	f.Fuzz(func(t *testing.T, index, shard []byte) {
		b, err := OpenBundle(fstest.MapFS{"c.index": {Data: fixSums(index)}, "c.data-00000-of-00001": {Data: shard}}, "c")
		if err != nil {
			return
		}
		for _, key := range b.Keys() {
			v, err := b.Tensor(key)
			if d, s, _ := b.Info(key); err == nil && (v.DType() != d || !v.Shape().Equal(s)) {
				t.Errorf("%q is %v%v", key, v.DType(), v.Shape())
			}
		}
	})
}

// fixSums sets the checksums of the blocks that the footer leads to, so that
// fuzzing gets behind them.
func fixSums(file []byte) []byte {
	b := bytes.Clone(file)
	fix := func(h handle) []byte {
		n := uint64(len(b))
		if h.offset > n || h.size > n-h.offset || n-h.offset-h.size < blockTrailer {
			return nil
		}
		sum := maskCRC(crc32.Checksum(b[h.offset:h.offset+h.size+1], castagnoli))
		copy(b[h.offset+h.size+1:], []byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24)})
		return b[h.offset:]
	}
	if len(b) < footerSize {
		return b
	}
	_, rest, err := readHandle(b[len(b)-footerSize:])
	if err != nil {
		return b
	}
	root, _, err := readHandle(rest)
	if err != nil || fix(root) == nil {
		return b
	}
	r := tableReader{file: b, keyBudget: 1 << 20}
	index, err := r.block(root)
	if err != nil {
		return b
	}
	for _, e := range index {
		if h, _, err := readHandle(e.value); err == nil {
			fix(h)
		}
	}
	return b
}

func FuzzSavedModel(f *testing.F) {
	m := files(f, "hub_tf1")
	for _, name := range []string{"hub_tf1", "keras3", "module"} {
		f.Add(files(f, name)["m/saved_model.pb"].Data)
	}
	f.Fuzz(func(t *testing.T, model []byte) {
		fsys := fstest.MapFS{"m/saved_model.pb": {Data: model}, indexFile: m[indexFile], shardFile: m[shardFile]}
		err := readAll(fsys)
		if err != nil && strings.Contains(err.Error(), "topological") {
			t.Error(err)
		}
	})
}

func FuzzGraphDef(f *testing.F) {
	g, err := fs.ReadFile(files(f, ""), "m/frozen.pb")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(g)
	f.Fuzz(func(t *testing.T, raw []byte) {
		m, err := ParseGraphDef("g.pb", raw)
		if err != nil {
			return
		}
		if g, err := FreezeArrays(m, nil, nil); err == nil {
			if err := checkGraph(g); err != nil {
				t.Error(err)
			}
			_, _ = io.WriteString(io.Discard, g.String())
		}
	})
}
