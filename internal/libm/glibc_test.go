package libm

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// difference counts results that differ from a reference.
type difference struct {
	total, differ int
	worst         int64 // ulp
}

func (d *difference) add(ulps int64) {
	d.total++
	if ulps != 0 {
		d.differ++
		d.worst = max(d.worst, ulps)
	}
}

// TestGlibc compares this package with the machine's C library, whose float32
// functions it equals, and with functions of higher precision rounded once,
// and logs the table of the package comment. It takes up to minutes and needs cc
// and glibc 2.28 to 2.40 on x86-64 with FMA, so it runs only on demand:
// LIBM_GLIBC is the stride over the bits of float32, say 1021.
func TestGlibc(t *testing.T) {
	stride, err := strconv.Atoi(os.Getenv("LIBM_GLIBC"))
	if err != nil || stride < 1 {
		t.Skip("compares with the C library of this machine; set LIBM_GLIBC to a stride, say 1021")
	}
	exe := filepath.Join(t.TempDir(), "glibc")
	if out, err := exec.Command("cc", "-O1", "-o", exe, "testdata/glibc.c", "-lquadmath", "-lm").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"exp", "expm1", "log", "tanh", "sin", "cos", "erfc", "pow", "atan2"} {
		var ours, theirs, apart difference
		compare32(t, exe, name, stride, &ours, &theirs, &apart)
		report(t, name+"f", ours, theirs, apart)
		if apart.differ != 0 {
			t.Errorf("%sf: %d of %d values differ, %d ulp", name, apart.differ, apart.total, apart.worst)
		}
	}
	for _, name := range []string{"exp", "log", "log1p", "sin", "cos", "pow", "atan2"} {
		var ours, theirs, apart difference
		compare64(t, exe, name, 500000, &ours, &theirs, &apart)
		report(t, name, ours, theirs, apart)
		if ours.differ != 0 {
			t.Errorf("%s: %d of %d values are not correctly rounded, %d ulp", name, ours.differ, ours.total, ours.worst)
		}
	}
}

func report(t *testing.T, name string, ours, theirs, apart difference) {
	t.Logf("%-6s %8d values: not correctly rounded here %6d (%d ulp), glibc %6d (%d ulp); differ %6d (%d ulp)", name,
		apart.total, ours.differ, ours.worst, theirs.differ, theirs.worst, apart.differ, apart.worst)
}

// results starts exe and returns its output.
func results(t *testing.T, exe string, args ...string) (r io.Reader, wait func()) {
	cmd := exec.Command(exe, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReaderSize(out, 1<<16), func() {
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// xorshift returns the generator of testdata/glibc.c.
func xorshift() func() uint64 {
	state := uint64(88172645463325252)
	return func() uint64 {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		return state
	}
}

// pair draws the two arguments of a binary function.
func pair(next func() uint64) (x, y float64) {
	r, s := next(), next()
	x = math.Float64frombits(r&(1<<52-1) | (1008+r>>52%32)<<52)
	y = math.Float64frombits(s&(1<<63|1<<52-1) | (1013+s>>52%16)<<52)
	return x, y
}

func compare32(t *testing.T, exe, name string, stride int, ours, theirs, apart *difference) {
	r, wait := results(t, exe, name, "f32", strconv.Itoa(stride))
	next := xorshift()
	var buf [8]byte
	f1, f2 := unary32[name+"f"], binary32[name+"f"]
	for b := uint64(0); ; b += uint64(stride) {
		if _, err := io.ReadFull(r, buf[:]); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		libm := math.Float32frombits(binary.LittleEndian.Uint32(buf[:]))
		exact := math.Float32frombits(binary.LittleEndian.Uint32(buf[4:]))
		var got float32
		if f1 != nil {
			got = f1(math.Float32frombits(uint32(b)))
		} else {
			x, y := pair(next)
			got = f2(float32(x), float32(y))
		}
		ours.add(ulps32(got, exact))
		theirs.add(ulps32(libm, exact))
		apart.add(ulps32(got, libm))
	}
	wait()
}

func compare64(t *testing.T, exe, name string, count int, ours, theirs, apart *difference) {
	r, wait := results(t, exe, name, "f64", strconv.Itoa(count))
	next := xorshift()
	var buf [16]byte
	f1, f2 := unary64[name], binary64[name]
	for range count {
		if _, err := io.ReadFull(r, buf[:]); err != nil {
			t.Fatal(err)
		}
		libm := math.Float64frombits(binary.LittleEndian.Uint64(buf[:]))
		exact := math.Float64frombits(binary.LittleEndian.Uint64(buf[8:]))
		var got float64
		if f1 != nil {
			v := next()
			got = f1(math.Float64frombits(v&(1<<63|1<<52-1) | (983+v>>52%64)<<52))
		} else {
			got = f2(pair(next))
		}
		ours.add(ulps64(got, exact))
		theirs.add(ulps64(libm, exact))
		apart.add(ulps64(got, libm))
	}
	wait()
}
