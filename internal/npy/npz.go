package npy

import (
	"archive/zip"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strings"

	"github.com/litequant/litequant/tensor"
)

const (
	// maxRatio is more than deflate can ever reach (1032).
	maxRatio = 1040
	// utf8Names is the member flag that says in what encoding its name is.
	utf8Names = 0x800
	// maxArrays bounds the directory of a .npz file.
	maxArrays = 1 << 20
)

// Archive is an open .npz file. Arrays are read one by one, on demand.
type Archive struct {
	names []string
	files map[string]*zip.File
	left  int64
}

// OpenArchive reads the directory of the .npz file in r, of the given size. All
// reads from the archive together return at most limit bytes of arrays.
func OpenArchive(r io.ReaderAt, size, limit int64) (*Archive, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, malformed("not a .npz file (" + err.Error() + ")")
	}
	if len(z.File) > maxArrays {
		return nil, fmt.Errorf(".npz file of %d arrays: %w", len(z.File), tensor.ErrLimit)
	}
	a := &Archive{files: map[string]*zip.File{}, left: limit}
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			continue // NumPy, too, takes only .npy members for arrays
		}
		if a.files[name] != nil {
			return nil, malformed(fmt.Sprintf(".npz file with two arrays %q", name))
		}
		a.names, a.files[name] = append(a.names, name), f
	}
	return a, nil
}

// Names lists the arrays in the file's order; the caller must not change it.
func (a *Archive) Names() []string { return a.names }

// Has reports whether there is an array of that name.
func (a *Archive) Has(name string) bool { return a.files[name] != nil }

// Read reads one array and verifies its checksum.
func (a *Archive) Read(name string) (tensor.Tensor, error) {
	f := a.files[name]
	if f == nil {
		return tensor.Tensor{}, malformed(fmt.Sprintf("no array %q", name))
	}
	t, err := a.read(f)
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%s: %w", name, err)
	}
	return t, nil
}

func (a *Archive) read(f *zip.File) (tensor.Tensor, error) {
	if f.UncompressedSize64/maxRatio > f.CompressedSize64 || f.UncompressedSize64 > math.MaxInt64 {
		return tensor.Tensor{}, malformed(fmt.Sprintf("%d bytes said to hold %d", f.CompressedSize64, f.UncompressedSize64))
	}
	size := int64(f.UncompressedSize64)
	if size > a.left {
		return tensor.Tensor{}, fmt.Errorf("array of %d bytes, %d allowed: %w", size, a.left, tensor.ErrLimit)
	}
	a.left -= size
	r, err := f.Open()
	if errors.Is(err, zip.ErrAlgorithm) {
		return tensor.Tensor{}, fmt.Errorf("compression method %d: %w", f.Method, tensor.ErrUnsupported)
	}
	if err != nil {
		return tensor.Tensor{}, malformed(err.Error())
	}
	defer r.Close()
	t, err := Read(r, size)
	if err != nil {
		return tensor.Tensor{}, err
	}
	// The checksum is compared at the end of the member.
	if n, err := io.Copy(io.Discard, io.LimitReader(r, 1)); err != nil {
		return tensor.Tensor{}, truncated("array", err)
	} else if n > 0 {
		return tensor.Tensor{}, malformed("bytes behind the array")
	}
	return t, nil
}

// ReadAll reads every array of the .npz file in r, in the file's order, as long
// as they take at most limit bytes together.
func ReadAll(r io.ReaderAt, size, limit int64) ([]Array, error) {
	a, err := OpenArchive(r, size, limit)
	if err != nil {
		return nil, err
	}
	var out []Array
	for _, name := range a.names {
		t, err := a.Read(name)
		if err != nil {
			return nil, err
		}
		out = append(out, Array{name, t})
	}
	return out, nil
}

// WriteAll writes arrays as a .npz file that numpy.load reads: uncompressed, in
// the given order, without times, so that the same arrays give the same bytes.
// Two arrays of one name are an error.
func WriteAll(w io.Writer, arrays []Array) error {
	z := zip.NewWriter(w)
	seen := map[string]bool{}
	for _, a := range arrays {
		if seen[a.Name] {
			return fmt.Errorf("two arrays %q: %w", a.Name, tensor.ErrMalformed)
		}
		seen[a.Name] = true
		if err := writeMember(z, a); err != nil {
			return fmt.Errorf("%s: %w", a.Name, err)
		}
	}
	return z.Close()
}

// writeMember writes sizes and checksum before the data, as readers of streams
// need them for uncompressed members.
func writeMember(z *zip.Writer, a Array) error {
	head, data, err := encode(a.Tensor)
	if err != nil {
		return err
	}
	size := uint64(len(head)) + uint64(len(data))
	w, err := z.CreateRaw(&zip.FileHeader{
		Name:               a.Name + ".npy",
		Flags:              utf8Names,
		Method:             zip.Store,
		CRC32:              crc32.Update(crc32.ChecksumIEEE(head), crc32.IEEETable, data),
		CompressedSize64:   size,
		UncompressedSize64: size,
	})
	if err != nil {
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}
