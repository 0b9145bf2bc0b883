package npy

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/litequant/litequant/tensor"
)

const (
	magic = "\x93NUMPY"
	// maxHeader is NumPy's own limit; no plain array comes near it.
	maxHeader = 10000
	maxRank   = 64 // NumPy's
	// align is the multiple at which NumPy starts the data.
	align = 64
	// growth is the room NumPy leaves so that the growing axis can be rewritten.
	growth = 21
)

// header is what precedes an array's elements.
type header struct {
	descr   string
	fortran bool
	shape   tensor.Shape
}

// readHeader reads the magic, the version and the dictionary; it returns the
// number of bytes read too.
func readHeader(r io.Reader) (header, int64, error) {
	var fixed [12]byte
	if _, err := io.ReadFull(r, fixed[:10]); err != nil {
		return header{}, 0, truncated("header", err)
	}
	if string(fixed[:6]) != magic {
		return header{}, 0, malformed("not a .npy file (wrong magic)")
	}
	size, read := int(binary.LittleEndian.Uint16(fixed[8:])), int64(10)
	switch version := fixed[6]; version {
	case 1:
	case 2, 3:
		if _, err := io.ReadFull(r, fixed[10:]); err != nil {
			return header{}, 0, truncated("header", err)
		}
		size, read = int(binary.LittleEndian.Uint32(fixed[8:])), 12
	default:
		return header{}, 0, fmt.Errorf(".npy version %d.%d: %w", version, fixed[7], tensor.ErrUnsupported)
	}
	if size > maxHeader {
		return header{}, 0, fmt.Errorf(".npy header of %d bytes: %w", size, tensor.ErrLimit)
	}
	text := make([]byte, size)
	if _, err := io.ReadFull(r, text); err != nil {
		return header{}, 0, truncated("header", err)
	}
	h, err := parseHeader(string(text))
	return h, read + int64(size), err
}

// parseHeader reads the Python dictionary of a header, in which the keys may
// stand in any order.
func parseHeader(text string) (header, error) {
	p := literal{rest: text}
	var h header
	seen := map[string]bool{}
	p.expect("{")
	for p.err == nil && !p.accept("}") {
		key := p.str()
		p.expect(":")
		switch key {
		case "descr":
			h.descr = p.str()
		case "fortran_order":
			h.fortran = p.boolean()
		case "shape":
			h.shape = p.tuple()
		default:
			p.fail("unknown key " + strconv.Quote(key))
		}
		if seen[key] {
			p.fail("key " + key + " twice")
		}
		seen[key] = true
		if !p.accept(",") {
			p.expect("}")
			break
		}
	}
	if p.err == nil && (len(seen) != 3 || strings.TrimSpace(p.rest) != "") {
		p.fail("a dictionary of descr, fortran_order and shape expected")
	}
	return h, p.err
}

// literal scans the subset of Python literals that headers are made of. The
// first failure stays in err and ends the scan.
type literal struct {
	rest string
	err  error
}

func (p *literal) fail(what string) {
	if p.err == nil {
		p.err = malformed(".npy header: " + what)
	}
}

func (p *literal) accept(token string) bool {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	rest, ok := strings.CutPrefix(p.rest, token)
	if ok && p.err == nil {
		p.rest = rest
	}
	return ok && p.err == nil
}

func (p *literal) expect(token string) {
	if !p.accept(token) {
		p.fail(strconv.Quote(token) + " expected")
	}
}

func (p *literal) str() string {
	for _, quote := range []string{"'", `"`} {
		if !p.accept(quote) {
			continue
		}
		s, rest, ok := strings.Cut(p.rest, quote)
		if !ok || strings.Contains(s, `\`) {
			p.fail("bad string")
			return ""
		}
		p.rest = rest
		return s
	}
	if p.accept("[") {
		p.err = fmt.Errorf("structured .npy array: %w", tensor.ErrUnsupported)
	}
	p.fail("string expected")
	return ""
}

func (p *literal) boolean() bool {
	if p.accept("True") {
		return true
	}
	p.expect("False")
	return false
}

func (p *literal) integer() int {
	n := 0
	for n < len(p.rest) && p.rest[n] >= '0' && p.rest[n] <= '9' {
		n++
	}
	v, err := strconv.Atoi(p.rest[:n])
	if err != nil {
		p.fail("dimension expected")
		return 0
	}
	p.rest = strings.TrimPrefix(p.rest[n:], "L") // Python 2 wrote long integers so
	return v
}

func (p *literal) tuple() tensor.Shape {
	s := tensor.Shape{}
	p.expect("(")
	for p.err == nil && !p.accept(")") {
		s = append(s, p.integer())
		if len(s) > maxRank {
			p.fail("too many dimensions")
		}
		if !p.accept(",") {
			p.expect(")")
			break
		}
	}
	return s
}

// appendHeader writes the header byte for byte as NumPy 2 does.
func appendHeader(b []byte, descr string, s tensor.Shape) []byte {
	dims, first := "", ""
	for i, d := range s {
		if text := strconv.Itoa(d); i == 0 {
			dims, first = text, text
		} else {
			dims += ", " + text
		}
	}
	if len(s) == 1 {
		dims += ","
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, dims)
	if len(s) > 0 {
		text += strings.Repeat(" ", growth-len(first))
	}
	pad := align - (10+len(text)+1)%align
	text += strings.Repeat(" ", pad) + "\n"
	b = append(b, magic+"\x01\x00"...)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(text)))
	return append(b, text...)
}

// layout is how elements of one NumPy type are stored.
type layout struct {
	dtype tensor.DType
	width int // bytes an element takes in the file
	word  int // bytes that change places in the other byte order
	text  byte
}

// rows maps NumPy's type codes to element types.
var rows = map[string]layout{
	"f2": {tensor.Float16, 2, 2, 0}, "f4": {tensor.Float32, 4, 4, 0}, "f8": {tensor.Float64, 8, 8, 0},
	"i1": {tensor.Int8, 1, 1, 0}, "i2": {tensor.Int16, 2, 2, 0}, "i4": {tensor.Int32, 4, 4, 0}, "i8": {tensor.Int64, 8, 8, 0},
	"u1": {tensor.UInt8, 1, 1, 0}, "u2": {tensor.UInt16, 2, 2, 0}, "u4": {tensor.UInt32, 4, 4, 0}, "u8": {tensor.UInt64, 8, 8, 0},
	"b1": {tensor.Bool, 1, 1, 0}, "c8": {tensor.Complex64, 8, 4, 0}, "c16": {tensor.Complex128, 16, 8, 0},
}

// descrOf is the inverse of rows: the code with NumPy's byte order mark.
func descrOf(d tensor.DType) (string, bool) {
	for code, l := range rows {
		if l.dtype == d {
			if l.width == 1 {
				return "|" + code, true
			}
			return "<" + code, true
		}
	}
	return "", false
}

// parseDescr resolves a type description such as "<f4", ">i8", "|S5" or "<U3".
func parseDescr(descr string) (l layout, big bool, err error) {
	code := strings.TrimLeft(descr, "<>|=")
	if len(descr)-len(code) > 1 {
		return l, false, malformed(".npy element type " + strconv.Quote(descr))
	}
	big = strings.HasPrefix(descr, ">")
	if l, ok := rows[code]; ok {
		return l, big, nil
	}
	if code != "" && bytes.IndexByte([]byte("SaU"), code[0]) >= 0 {
		n, err := strconv.ParseUint(code[1:], 10, 31)
		if err != nil || n > math.MaxInt32/4 {
			return l, false, malformed(".npy element type " + strconv.Quote(descr))
		}
		if code[0] == 'U' {
			return layout{tensor.String, 4 * int(n), 4, 'U'}, big, nil
		}
		return layout{tensor.String, int(n), 1, 'S'}, big, nil
	}
	return l, false, fmt.Errorf(".npy element type %q: %w", descr, tensor.ErrUnsupported)
}

func malformed(what string) error { return fmt.Errorf("%s: %w", what, tensor.ErrMalformed) }

// truncated turns the failure to read what into an error that says so.
func truncated(what string, err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return malformed("truncated " + what)
	}
	var corrupt flate.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) {
		return malformed(err.Error())
	}
	return fmt.Errorf("%s: %w", what, err)
}
