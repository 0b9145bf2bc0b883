package hub

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/litequant/litequant/tensor"
)

// Limits of an archive: what it may unpack to.
const (
	maxArchiveBytes = 8 << 30
	maxArchiveFiles = 1 << 16
)

// extract unpacks a .tar or .tar.gz stream to the directory dir. Only plain
// files and directories below dir are made; an entry that leads elsewhere is an
// error that wraps tensor.ErrMalformed.
func extract(ctx context.Context, r io.Reader, dir string) error {
	buffered := bufio.NewReader(r)
	var plain io.Reader = buffered
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return fmt.Errorf("archive: %w: %w", err, tensor.ErrMalformed)
		}
		plain = z
	}
	left := int64(maxArchiveBytes)
	in := tar.NewReader(plain)
	for n := 0; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := in.Next()
		if errors.Is(err, io.EOF) && n > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("no archive of a module: %w: %w", err, tensor.ErrMalformed)
		}
		if left -= h.Size; h.Size < 0 || left < 0 || n >= maxArchiveFiles {
			return fmt.Errorf("archive of more than %d bytes or %d files: %w", int64(maxArchiveBytes), maxArchiveFiles, tensor.ErrLimit)
		}
		if err := extractEntry(in, h, dir); err != nil {
			return fmt.Errorf("archive: %.80q: %w", h.Name, err)
		}
	}
}

func extractEntry(in *tar.Reader, h *tar.Header, dir string) error {
	name := filepath.FromSlash(h.Name)
	if !filepath.IsLocal(name) {
		return fmt.Errorf("leads out of the directory: %w", tensor.ErrMalformed)
	}
	target := filepath.Join(dir, name)
	switch h.Typeflag {
	case tar.TypeDir:
		return os.MkdirAll(target, 0o755)
	case tar.TypeReg:
	case tar.TypeXGlobalHeader:
		return nil
	default:
		return fmt.Errorf("entry of type %q is no plain file: %w", h.Typeflag, tensor.ErrUnsupported)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, in)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = fmt.Errorf("cut short: %w", tensor.ErrMalformed)
	}
	return errors.Join(err, f.Close())
}
