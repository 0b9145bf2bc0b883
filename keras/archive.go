package keras

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"

	"github.com/litequant/litequant/internal/atomicfile"
	"github.com/litequant/litequant/internal/hdf5"
	"github.com/litequant/litequant/tensor"
)

// The files of a .keras archive.
const (
	archiveConfig   = "config.json"
	archiveMetadata = "metadata.json"
	archiveWeights  = "model.weights.h5"

	maxConfigBytes  = 256 << 20
	maxWeightsBytes = 8 << 30

	// An entry expands to no more than these bytes and this multiple of its own.
	freeExpansion = 64 << 20
	maxExpansion  = 64
)

// loadArchive reads a .keras file.
func (r *reader) loadArchive(name string) (*Model, error) {
	z, err := zip.OpenReader(name)
	if err != nil {
		return nil, malformed("no zip archive: %v", err)
	}
	defer z.Close()
	raw, err := zipEntry(&z.Reader, archiveConfig, maxConfigBytes)
	if err != nil {
		return nil, err
	}
	m, err := r.readModel(raw)
	if err != nil {
		return nil, err
	}
	weights, err := zipEntry(&z.Reader, archiveWeights, maxWeightsBytes)
	if err != nil {
		return nil, err
	}
	file, err := hdf5.Open(bytes.NewReader(weights), int64(len(weights)))
	if err != nil {
		return nil, err
	}
	if err := m.readVars(file.Root(), ""); err != nil {
		return nil, err
	}
	m.compiled = readCompileConfig(raw)
	return m, nil
}

// zipEntry reads a file of an archive. Its size is what the data gives, not what
// the archive's directory claims.
func zipEntry(z *zip.Reader, name string, limit int64) ([]byte, error) {
	i := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == name })
	if i < 0 {
		return nil, malformed("the archive holds no %s", name)
	}
	if packed := z.File[i].CompressedSize64; packed < uint64(limit)/maxExpansion {
		limit = min(limit, int64(packed)*maxExpansion+freeExpansion)
	}
	f, err := z.File[i].Open()
	if err != nil {
		return nil, malformed("%s: %v", name, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, malformed("%s: %v", name, err)
	}
	if int64(len(raw)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes: %w", name, limit, tensor.ErrLimit)
	}
	return raw, nil
}

// layerGroups names where a model's layers are; the second is an older release's.
var layerGroups = []string{"layers", "_layer_checkpoint_dependencies"}

// varGroups returns the name under which each layer's variables are stored: its
// class in snake case, numbered.
func (m *Model) varGroups() map[*layer]string {
	names, used := map[*layer]string{}, map[string]int{}
	for _, l := range m.layers {
		if _, input := l.Layer.(InputLayer); input && m.sequential {
			continue
		}
		name := snakeCase(l.class)
		n := used[name]
		if used[name]++; n > 0 {
			name = fmt.Sprintf("%s_%d", name, n)
		}
		names[l] = name
	}
	return names
}

// readVars reads the weights of a model from group prefix of the file.
func (m *Model) readVars(root *hdf5.Group, prefix string) error {
	dir := path.Join(prefix, layerGroups[0])
	if at, err := root.Group(path.Join("/", prefix)); err == nil && !at.Has(layerGroups[0]) && at.Has(layerGroups[1]) {
		dir = path.Join(prefix, layerGroups[1])
	}
	names := m.varGroups()
	var problems []error
	for _, l := range m.layers {
		at := path.Join(dir, names[l])
		if l.model != nil {
			problems = append(problems, l.model.readVars(root, at))
			continue
		}
		for i, w := range l.weights {
			d, err := root.Dataset(path.Join(at, "vars", fmt.Sprint(i)))
			if err == nil {
				err = w.read(d)
			}
			if err != nil {
				problems = append(problems, layerError(l.name, l.class, err))
			}
		}
	}
	return errors.Join(problems...)
}

// writeVars is the inverse of readVars.
func (m *Model) writeVars(root *hdf5.GroupBuilder, prefix string) {
	names := m.varGroups()
	for _, l := range m.layers {
		if names[l] == "" {
			continue
		}
		at := path.Join(prefix, layerGroups[0], names[l])
		if l.model != nil {
			l.model.writeVars(root, at)
			continue
		}
		vars := root.Group(path.Join(at, "vars"))
		vars.SetAttr("name", l.name)
		for i, w := range l.weights {
			vars.Dataset(fmt.Sprint(i), w.Value)
		}
	}
	root.Group(path.Join(prefix, "vars")).SetAttr("name", m.name)
}

// saveArchive writes a .keras file as Keras 3 does.
func (m *Model) saveArchive(name string) error {
	conf := m.config(true)
	if m.compiled != nil {
		conf["compile_config"] = m.compiled.compileConfig()
	}
	config, err := json.Marshal(conf)
	if err != nil {
		return err
	}
	meta, err := json.Marshal(map[string]string{"keras_version": keras3Version, "date_saved": "2024-01-01@00:00:00"})
	if err != nil {
		return err
	}
	b := hdf5.NewBuilder()
	m.writeVars(b.Root(), "")
	return atomicfile.Write(name, func(f *os.File) error {
		z := zip.NewWriter(f)
		for _, e := range []struct {
			name  string
			write func(io.Writer) error
		}{
			{archiveMetadata, bytesWriter(meta)},
			{archiveConfig, bytesWriter(config)},
			{archiveWeights, func(w io.Writer) error { _, err := b.WriteTo(w); return err }},
		} {
			w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: zip.Store})
			if err != nil {
				return err
			}
			if err := e.write(w); err != nil {
				return err
			}
		}
		return z.Close()
	})
}

func bytesWriter(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}
}
