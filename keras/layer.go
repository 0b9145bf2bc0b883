package keras

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"github.com/litequant/litequant/tensor"
)

// Layer is the configuration of a layer: one of this package's structs, a
// hub.Layer, or a whole *Model. A layer given by pointer and applied twice is one
// layer whose weights are shared; given by value it is a new layer each time.
type Layer interface {
	// Describe returns Keras's class name, the layer's own name ("" lets the model
	// choose one as Keras does) and whether training leaves its weights alone.
	Describe() (class, name string, frozen bool)
}

// row is all that is known of a layer class.
type row struct {
	class string
	// holds reports whether a layer is of the row's Go type.
	holds func(l Layer) bool
	// read makes the layer from its Keras configuration; it reports problems to c.
	read func(c *config) Layer
	// write is the inverse: it sets the keys of the configuration that only this
	// class has.
	write func(l Layer, w *writer)
	// call emits what the layer computes.
	call func(l Layer, c *call) value
	// merges marks a class that is called with a list of inputs.
	merges bool
}

// rowOf makes a row of functions over the layer's own type.
func rowOf[T Layer](class string, read func(*config) T, write func(T, *writer), apply func(T, *call) value) row {
	return row{
		class: class,
		holds: func(l Layer) bool { _, ok := l.(T); return ok },
		read:  func(c *config) Layer { return read(c) },
		write: func(l Layer, w *writer) { write(l.(T), w) },
		call:  func(l Layer, c *call) value { return apply(l.(T), c) },
	}
}

// merging marks a row as one that takes a list of inputs.
func merging(r row) row {
	r.merges = true
	return r
}

// rows is the list of layer classes.
func rows() []row {
	return []row{
		inputRow, denseRow, activationRow, dropoutRow, flattenRow, reshapeRow,
		conv2DRow, depthwiseConv2DRow,
		maxPooling2DRow, averagePooling2DRow, globalAveragePooling2DRow,
		reluRow, softmaxRow, batchNormalizationRow, zeroPadding2DRow,
		merging(addRow), merging(multiplyRow), merging(concatenateRow),
		hubRow,
	}
}

// rowFor returns the row of a class.
func rowFor(class string) (row, bool) {
	for _, r := range rows() {
		if r.class == class {
			return r, true
		}
	}
	return row{}, false
}

// Classes returns the names of the layer classes that are known.
func Classes() []string {
	var names []string
	for _, r := range rows() {
		names = append(names, r.class)
	}
	return names
}

// indirect returns the layer that a pointer leads to, and whether l is a pointer.
func indirect(l Layer) (_ Layer, pointer bool, _ error) {
	v := reflect.ValueOf(l)
	if !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil() {
		return nil, false, fmt.Errorf("a layer is nil: %w", tensor.ErrMalformed)
	}
	if v.Kind() != reflect.Pointer {
		return l, false, nil
	}
	if e, ok := v.Elem().Interface().(Layer); ok {
		return e, true, nil
	}
	return l, true, nil
}

// snakeCase is Keras's to_snake_case, from which names are made: Conv2D is
// conv2d, MaxPooling2D max_pooling2d, ReLU re_lu.
func snakeCase(class string) string {
	in := []rune(class)
	var b strings.Builder
	for i, r := range in {
		if unicode.IsUpper(r) && i > 0 {
			lower := i+1 < len(in) && unicode.IsLower(in[i+1]) // (.)([A-Z][a-z]+)
			after := unicode.IsLower(in[i-1])                  // ([a-z])([A-Z])
			if lower || after {
				b.WriteByte('_')
			}
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// namer hands out layer names as Keras does: dense, dense_1, ...
type namer map[string]int

func (n namer) next(class string) string {
	base := snakeCase(class)
	if class == inputClass {
		base = "input"
		n[base] = max(n[base], 1) // input_1 is the first
	}
	i := n[base]
	n[base]++
	if i == 0 {
		return base
	}
	return fmt.Sprintf("%s_%d", base, i)
}
