package keras

import (
	"context"
	"math"

	"github.com/litequant/litequant/hub"
	"github.com/litequant/litequant/tensor"
)

// config reads a layer's Keras configuration. Its methods report values of wrong
// types as problems and return zero values then.
type config struct {
	r      *reader
	class  string
	name   string
	frozen bool
	values map[string]any
}

// problem reports what is wrong with the layer.
func (c *config) problem(err error) { c.r.problem(c.name, c.class, err) }

// get returns a value; null is as good as absent.
func (c *config) get(key string) any { return c.values[key] }

func (c *config) text(key, def string) string {
	switch v := c.get(key).(type) {
	case nil:
	case string:
		return v
	default:
		c.problem(malformed("%s is no string", key))
	}
	return def
}

func (c *config) bool(key string, def bool) bool {
	switch v := c.get(key).(type) {
	case nil:
	case bool:
		return v
	default:
		c.problem(malformed("%s is no bool", key))
	}
	return def
}

func (c *config) float(key string, def float64) float64 {
	switch v := c.get(key).(type) {
	case nil:
	case float64:
		return v
	default:
		c.problem(malformed("%s is no number", key))
	}
	return def
}

func (c *config) int(key string, def int) int {
	if c.get(key) == nil {
		return def
	}
	n, ok := asInt(c.get(key))
	if !ok {
		c.problem(malformed("%s is no integer", key))
		return def
	}
	return n
}

func asInt(v any) (int, bool) {
	f, ok := v.(float64)
	if !ok || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int(f), true
}

func (c *config) object(key string) map[string]any {
	m, _ := c.get(key).(map[string]any)
	return m
}

// shape returns a list of integers under one of the keys, -1 for null.
func (c *config) shape(keys ...string) tensor.Shape {
	for _, key := range keys {
		if c.get(key) == nil {
			continue
		}
		s, ok := asShape(c.get(key))
		if !ok {
			c.problem(malformed("%s is no shape", key))
		}
		return s
	}
	return nil
}

func asShape(v any) (tensor.Shape, bool) {
	list, ok := v.([]any)
	if !ok || len(list) > 32 {
		return nil, false
	}
	s := make(tensor.Shape, len(list))
	for i, e := range list {
		if e == nil {
			s[i] = -1
			continue
		}
		if s[i], ok = asInt(e); !ok {
			return nil, false
		}
	}
	return s, true
}

// jsonShape is the inverse: null for -1.
func jsonShape(s tensor.Shape) []any {
	out := make([]any, len(s))
	for i, d := range s {
		if d >= 0 {
			out[i] = d
		}
	}
	return out
}

// pair returns two integers, given as one or as a list; zeros if absent.
func (c *config) pair(key string) (p [2]int) {
	v := c.get(key)
	if v == nil {
		return p
	}
	if n, ok := asInt(v); ok {
		return [2]int{n, n}
	}
	s, ok := asShape(v)
	if !ok || len(s) != 2 {
		c.problem(malformed("%s is no pair of integers", key))
		return p
	}
	return [2]int{s[0], s[1]}
}

// borders returns Keras's padding of images: an integer, a pair, or two pairs.
func (c *config) borders(key string) (b [2][2]int) {
	list, ok := c.get(key).([]any)
	if !ok || len(list) != 2 {
		p := c.pair(key)
		return [2][2]int{{p[0], p[0]}, {p[1], p[1]}}
	}
	for i, e := range list {
		if n, ok := asInt(e); ok {
			b[i] = [2]int{n, n}
		} else if s, ok := asShape(e); ok && len(s) == 2 {
			b[i] = [2]int{s[0], s[1]}
		} else {
			c.problem(malformed("%s is no padding", key))
		}
	}
	return b
}

// channelsLast reports images that are not NHWC.
func (c *config) channelsLast() {
	if f := c.text("data_format", "channels_last"); f != "channels_last" {
		c.problem(unsupported("data_format %s", f))
	}
}

// axis returns an axis that may be given as a list of one.
func (c *config) axis(key string) int {
	v := c.get(key)
	if list, ok := v.([]any); ok && len(list) == 1 {
		v = list[0]
	}
	n, ok := asInt(v)
	if v != nil && !ok {
		c.problem(unsupported("%s %v", key, v))
	}
	return n
}

func (c *config) padding() Padding { return Padding(c.text("padding", "")) }

// inputType returns an input's element type.
func (c *config) inputType() tensor.DType {
	name := policy(c.get("dtype"))
	if name == "" {
		return tensor.Float32
	}
	d, err := tensor.ParseDType(name)
	if err != nil {
		c.problem(unsupported("dtype %q", name))
	}
	return d
}

// policy returns the name of a dtype or dtype policy.
func policy(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case map[string]any:
		conf, _ := v["config"].(map[string]any)
		name, _ := conf["name"].(string)
		return name
	}
	return ""
}

// activation returns the function under the key "activation".
func (c *config) activation() Function {
	v := c.get("activation")
	if m, ok := v.(map[string]any); ok { // Keras 3: a registered function
		if m["class_name"] == "function" {
			v = m["config"]
		} else {
			c.problem(unsupported("activation of class %v", m["class_name"]))
			return ""
		}
	}
	name, ok := v.(string)
	if v != nil && !ok {
		c.problem(malformed("activation is no name"))
	}
	if alias, ok := functionAliases[name]; ok {
		name = alias
	}
	if _, ok := activations[Function(name)]; !ok && name != "" {
		c.problem(unsupported("activation %q", name))
	}
	return Function(name)
}

// functionAliases are other names that files have for functions: those of
// TensorFlow's own, and linear, which the zero Function stands for.
var functionAliases = map[string]string{
	"linear": "", "softmax_v2": string(Softmax), "log_softmax_v2": string(LogSoftmax),
}

// initializer returns the initializer under a key. Unknown ones are kept: they
// matter only when a weight is made anew.
func (c *config) initializer(key string) Initializer {
	m := c.object(key)
	class, _ := m["class_name"].(string)
	if name, ok := c.get(key).(string); ok {
		class = name
	}
	if camel, ok := initializerNames[class]; ok {
		class = camel
	}
	params, _ := m["config"].(map[string]any)
	return Initializer{class, params}
}

// initializerNames are the names that Keras takes in place of a class.
var initializerNames = map[string]string{
	"zeros": "Zeros", "ones": "Ones", "glorot_uniform": "GlorotUniform", "glorot_normal": "GlorotNormal",
	"he_uniform": "HeUniform", "he_normal": "HeNormal", "lecun_uniform": "LecunUniform", "lecun_normal": "LecunNormal",
}

// loadModule loads the module of a Hub layer.
func (c *config) loadModule(handle, signature, outputKey string) (*hub.Module, error) {
	return c.r.modules.load(c.r.ctx, handle, c.r.hubLayers, signature, outputKey)
}

// reader reads a model's configuration.
type reader struct {
	ctx       context.Context
	modules   *modules
	hubLayers int // in the model, nested ones included
	problems  []error
}

// problem reports what is wrong with a layer.
func (r *reader) problem(name, class string, err error) {
	const most = 100 // of a broken file, more do not help
	if len(r.problems) < most {
		r.problems = append(r.problems, layerError(name, class, err))
	}
}

// writer builds a layer's Keras configuration.
type writer struct {
	keras3 bool
	values map[string]any
}

func (w *writer) set(key string, v any) { w.values[key] = v }

// none sets keys that stand for what this package does not have.
func (w *writer) none(keys ...string) {
	for _, k := range keys {
		w.values[k] = nil
	}
}

func (w *writer) activation(f Function) {
	switch {
	case f == "":
		f = Linear
	case f == Swish && w.keras3:
		f = SiLU
	case f == SiLU && !w.keras3:
		f = Swish
	}
	w.set("activation", string(f))
}

func (w *writer) initializer(key string, i Initializer) { w.set(key, i.config()) }

// window sets the keys of convolutions and pools.
func (w *writer) window(g window, sizeKey string) {
	w.set(sizeKey, g.size)
	w.set("strides", g.strides)
	padding := g.padding
	if padding == "" {
		padding = Valid
	}
	w.set("padding", string(padding))
	w.set("data_format", "channels_last")
}
