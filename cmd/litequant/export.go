package main

import (
	"bufio"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/litequant/litequant/keras"
)

// asModule is the value of a --hub that places nothing.
const asModule = "\x00"

func newExport(a *app) *cobra.Command {
	out := output{app: a}
	var places []string
	c := &cobra.Command{
		Use:   "export MODEL -o OUT",
		Short: "Write a model in another format",
		Long: "export writes OUT as its suffix says: .h5, .keras, .tflite, .cc or .h (a C array), or a\n" +
			"SavedModel directory; with --hub a TF-Hub module (TF2 form). To place a saved hub\n" +
			"layer's module write --hub=PATH or --hub=HANDLE=PATH.",
		Example: "  litequant export model.h5 -o model.keras\n" +
			"  litequant export model.h5 -o module/ --hub\n" +
			"  litequant export int8.tflite -o model.cc",
		RunE: func(c *cobra.Command, args []string) error {
			name, err := a.exactModel(c, args)
			if err != nil {
				return err
			}
			publish := false
			for _, p := range places {
				if publish = publish || p == asModule; p != asModule {
					a.hub = append(a.hub, p)
				}
			}
			if err := out.check(c); err != nil {
				return err
			}
			return a.export(c, name, &out, publish)
		},
	}
	out.flags(c, "model")
	c.Flags().StringArrayVar(&places, "hub", nil, "write a TF-Hub module; with =PATH place a hub layer's module")
	c.Flags().Lookup("hub").NoOptDefVal = asModule
	return c
}

func (a *app) export(c *cobra.Command, name string, out *output, publish bool) error {
	write, isArray := map[string]func(io.Writer, string, []byte) error{".cc": writeSource, ".h": writeHeader}[strings.ToLower(filepath.Ext(out.path))]
	if !publish && (isArray || strings.EqualFold(filepath.Ext(out.path), ".tflite")) {
		l, err := a.load(c.Context(), name)
		if err != nil {
			return err
		}
		b, err := l.encoded()
		if err != nil {
			return err
		}
		if !isArray {
			return out.bytes(b)
		}
		return out.write(func(w io.Writer) error { return write(w, identifier(out.path), b) })
	}
	if out.path == "-" {
		return usagef("name a file or directory", "a Keras model or SavedModel cannot be written to stdout")
	}
	m, err := a.network(c.Context(), name)
	if err != nil {
		return err
	}
	save := (*keras.Model).Save
	if publish {
		save = (*keras.Model).Publish
	}
	return out.save(func(name string) error { return save(m, name) })
}

// identifier makes a C name of a file's.
func identifier(path string) string {
	base := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	name := strings.Map(func(r rune) rune {
		if r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, base)
	if name == "" || '0' <= name[0] && name[0] <= '9' {
		name = "model_" + name
	}
	return name
}

// writeSource writes bytes as the definition of a C++ array.
func writeSource(w io.Writer, name string, b []byte) error {
	return writeArray(w, "extern const unsigned char "+name+"[];\nextern const unsigned int "+name+"_len;\n\n", "const ", name, b, "")
}

// writeHeader writes a header that holds the array itself.
func writeHeader(w io.Writer, name string, b []byte) error {
	guard := strings.ToUpper(name) + "_H_"
	return writeArray(w, "#ifndef "+guard+"\n#define "+guard+"\n\n", "static const ", name, b, "\n#endif  // "+guard+"\n")
}

func writeArray(w io.Writer, before, qualifier, name string, b []byte, after string) error {
	o := bufio.NewWriter(w)
	fmt.Fprintf(o, "%salignas(16) %sunsigned char %s[] = {", before, qualifier, name)
	for i, v := range b {
		if i%12 == 0 {
			fmt.Fprint(o, "\n   ")
		}
		fmt.Fprintf(o, " 0x%02x,", v)
	}
	fmt.Fprintf(o, "\n};\n%sunsigned int %s_len = %d;\n%s", qualifier, name, len(b), after)
	return o.Flush()
}
