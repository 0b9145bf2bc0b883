package selection

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/flexbuffers"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// DetectionPostProcess is the custom operator TFLite_Detection_PostProcess: boxes
// decoded from their offsets to anchors, then the best of them that do not overlap
// more than allowed, with classes and scores. Unused places of the results are 0,
// which LiteRT leaves undefined.
var DetectionPostProcess = &op.Def{
	Code: graph.Custom,
	Name: "TFLite_Detection_PostProcess",
	Operands: op.In("encodings", op.F32|op.U8).In("class_predictions", op.F32|op.U8).In("anchors", op.F32|op.U8).
		Out("boxes", op.F32).Out("classes", op.F32).Out("scores", op.F32).Out("count", op.F32),
	Facts:   detectionFacts,
	Version: version1,
	Quant:   float,
	Ref: func(c *op.Call) (op.Kernel, error) {
		o, err := detectionOptions(c.Node)
		if err != nil {
			return op.Kernel{}, err
		}
		return op.Kernel{
			State: func() any { return &detector{options: o} },
			Run:   func(r *op.Run) error { return r.State.(*detector).run(r) },
		}, nil
	},
}

// options are the operator's: the map that its custom options hold.
type options struct {
	maxDetections, classesPerDetection, detectionsPerClass, classes int
	regular                                                         bool
	scoreThreshold, iouThreshold                                    float32
	scale                                                           center
}

// center is a box by its middle and size, also the scales of such encodings.
type center struct{ y, x, h, w float32 }

const defaultPerClass = 100

func detectionOptions(n *graph.Node) (options, error) {
	m, err := flexbuffers.Root(n.CustomOptions)
	if err != nil {
		return options{}, err
	}
	number := func(name string) int { return int(int32(m.Get(name).Int())) }
	real := func(name string) float32 { return float32(m.Get(name).Float()) }
	o := options{
		maxDetections: number("max_detections"), classesPerDetection: number("max_classes_per_detection"),
		detectionsPerClass: defaultPerClass, classes: number("num_classes"), regular: m.Get("use_regular_nms").Bool(),
		scoreThreshold: real("nms_score_threshold"), iouThreshold: real("nms_iou_threshold"),
		scale: center{real("y_scale"), real("x_scale"), real("h_scale"), real("w_scale")},
	}
	if !m.Get("detections_per_class").IsNull() {
		o.detectionsPerClass = number("detections_per_class")
	}
	switch {
	case o.maxDetections < 0 || o.classesPerDetection < 1:
		err = fmt.Errorf("at most %d detections of %d classes: %w", o.maxDetections, o.classesPerDetection, tensor.ErrMalformed)
	case o.classes < 1:
		err = fmt.Errorf("%d classes: %w", o.classes, tensor.ErrMalformed)
	case o.regular && min(o.detectionsPerClass, o.maxDetections) < 1:
		err = fmt.Errorf("at most %d detections per class, %d in all: %w", o.detectionsPerClass, o.maxDetections, tensor.ErrMalformed)
	case !(o.iouThreshold > 0 && o.iouThreshold <= 1):
		err = fmt.Errorf("IoU threshold %v: %w", o.iouThreshold, tensor.ErrMalformed)
	}
	return o, err
}

func detectionFacts(c *op.Call) error {
	o, err := detectionOptions(c.Node)
	if err != nil {
		return err
	}
	encodings, predictions, anchors := c.In[0].Shape, c.In[1].Shape, c.In[2].Shape
	if c.In[0].Unknown || c.In[1].Unknown || c.In[2].Unknown {
		return op.ErrLater
	}
	if c.In[0].DType != c.In[2].DType {
		return fmt.Errorf("encodings of type %v with anchors of type %v: %w", c.In[0].DType, c.In[2].DType, tensor.ErrType)
	}
	for i := range c.In {
		if c.In[i].DType == tensor.UInt8 && (len(c.In[i].Quant.Scales) != 1 || len(c.In[i].Quant.ZeroPoints) != 1) {
			return fmt.Errorf("operand %d is not quantized: %w", i, tensor.ErrMalformed)
		}
	}
	n := -1
	if len(encodings) == 3 {
		n = encodings[1]
	}
	ok := op.Compatible(encodings, tensor.Shape{1, -1, -1}) && (encodings[2] < 0 || encodings[2] >= 4) &&
		op.Compatible(predictions, tensor.Shape{1, n, -1}) && (predictions[2] < 0 || predictions[2] == o.classes || predictions[2] == o.classes+1) &&
		len(anchors) == 2
	if ok && n >= 0 && anchors.Known() { // anchors follow each other, whatever the shape
		have, err := anchors.Elems()
		ok = err == nil && have/4 >= n
	}
	if !ok {
		return fmt.Errorf("encodings of shape %v, predictions of shape %v of %d classes and anchors of shape %v: %w",
			encodings, predictions, o.classes, anchors, tensor.ErrShape)
	}
	most, err := tensor.Shape{o.maxDetections, o.classesPerDetection}.Elems()
	if err != nil {
		return err
	}
	c.SetResult(0, tensor.Float32, tensor.Shape{1, most, 4})
	c.SetResult(1, tensor.Float32, tensor.Shape{1, most})
	c.SetResult(2, tensor.Float32, tensor.Shape{1, most})
	c.SetResult(3, tensor.Float32, tensor.Shape{1})
	return nil
}

// detector is the memory of a node.
type detector struct {
	options
	encodings, anchors []float32

	boxes   []box
	scores  []float32 // of all boxes and classes, background included
	columns int       // classes, background included
	skip    int       // columns before the first class

	single   []float32 // a score for each box
	kept     []int32   // boxes above the threshold, by falling score
	gone     []bool    // those suppressed
	selected []int32
	ranking  []int32 // classes of each box by falling score
	found    []detection
}

// detection is a class found at a box.
type detection struct {
	box, class int32
	score      float32
}

func (d *detector) run(r *op.Run) error {
	for _, t := range r.Out {
		clear(t.Bytes())
	}
	d.columns = r.In[1].Shape()[2]
	d.skip = d.columns - d.classes
	if err := d.decode(r); err != nil {
		return err
	}
	d.scores = reals(d.scores[:0], r.In[1])
	var err error
	n := 0
	if d.regular {
		n, err = d.regularNMS(r)
	} else {
		n, err = d.fastNMS(r)
	}
	op.F32s(r.Out[3])[0] = float32(n)
	return err
}

// reals appends a tensor's elements as real numbers.
func reals(dst []float32, t tensor.Tensor) []float32 {
	if t.DType() == tensor.Float32 {
		return append(dst, op.F32s(t)...)
	}
	scale, zero := t.Quant().Scale(), float32(t.Quant().Zero())
	for _, q := range t.Bytes() {
		dst = append(dst, (float32(q)-zero)*scale)
	}
	return dst
}

// decode turns encodings relative to anchors into corners, in double precision as
// LiteRT does.
func (d *detector) decode(r *op.Run) error {
	s := r.In[0].Shape()
	d.encodings, d.anchors = reals(d.encodings[:0], r.In[0]), reals(d.anchors[:0], r.In[2])
	d.boxes = d.boxes[:0]
	for i := range s[1] {
		c, anchor := centerAt(d.encodings[i*s[2]:]), centerAt(d.anchors[4*i:])
		y, h := d.side(c.y, c.h, d.scale.y, d.scale.h, anchor.y, anchor.h)
		x, w := d.side(c.x, c.w, d.scale.x, d.scale.w, anchor.x, anchor.w)
		b := box{y - h, x - w, y + h, x + w}
		if b.y0 > b.y1 || b.x0 > b.x1 {
			return fmt.Errorf("box %d is %v: %w", i, b, tensor.ErrMalformed)
		}
		d.boxes = append(d.boxes, b)
	}
	return nil
}

func centerAt(v []float32) center { return center{v[0], v[1], v[2], v[3]} }

// side decodes one direction: the middle and half of the size.
func (d *detector) side(at, size, scaleAt, scaleSize, anchorAt, anchorSize float32) (middle, half float32) {
	m := float64(float64(at)/float64(scaleAt)*float64(anchorSize)) + float64(anchorAt)
	h := 0.5 * libm.Exp(float64(size)/float64(scaleSize)) * float64(anchorSize)
	return float32(m), float32(h)
}

// fastNMS suppresses boxes by the score of their best class.
func (d *detector) fastNMS(r *op.Run) (int, error) {
	each := min(d.classesPerDetection, d.classes)
	d.single, d.ranking = d.single[:0], d.ranking[:0]
	for i := range d.boxes {
		best := d.rank(i, each)
		d.single = append(d.single, d.classScores(i)[best[0]])
	}
	if err := d.suppress(r, d.maxDetections); err != nil {
		return 0, err
	}
	for i, b := range d.selected {
		for k, class := range d.ranking[int(b)*each:][:each] {
			d.emit(r, i*d.classesPerDetection+k, detection{b, class, d.classScores(int(b))[class]})
		}
	}
	return len(d.selected), nil
}

func (d *detector) classScores(box int) []float32 {
	return d.scores[box*d.columns+d.skip:][:d.classes]
}

// rank appends the n best classes of a box to the ranking and returns them.
func (d *detector) rank(box, n int) []int32 {
	scores, at := d.classScores(box), len(d.ranking)
	if n == 1 {
		best := 0
		for i, s := range scores {
			if s > scores[best] || scores[best] != scores[best] && s == s {
				best = i
			}
		}
		d.ranking = append(d.ranking, int32(best))
		return d.ranking[at:]
	}
	for i := range scores {
		d.ranking = append(d.ranking, int32(i))
	}
	partialSort(d.ranking[at:], n, func(a, b int32) bool { return scores[a] > scores[b] })
	d.ranking = d.ranking[:at+n]
	return d.ranking[at:]
}

// suppress selects at most n boxes by their single scores.
func (d *detector) suppress(r *op.Run, n int) error {
	d.kept, d.gone, d.selected = d.kept[:0], d.gone[:0], d.selected[:0]
	for i, s := range d.single {
		if s >= d.scoreThreshold {
			d.kept, d.gone = append(d.kept, int32(i)), append(d.gone, false)
		}
	}
	slices.SortStableFunc(d.kept, func(a, b int32) int { return falling(d.single[a], d.single[b]) })
	for i, b := range d.kept {
		if len(d.selected) >= n {
			break
		}
		if d.gone[i] {
			continue
		}
		if r.Stop() {
			return op.ErrStopped
		}
		d.selected = append(d.selected, b)
		for j := i + 1; j < len(d.kept); j++ {
			if !d.gone[j] && overlap(d.boxes[b], d.boxes[d.kept[j]]) > d.iouThreshold {
				d.gone[j] = true
			}
		}
	}
	return nil
}

// regularNMS suppresses boxes for each class on its own, and merges the classes'
// boxes by score.
func (d *detector) regularNMS(r *op.Run) (int, error) {
	d.found = d.found[:0]
	for class := range d.classes {
		d.single = d.single[:0]
		for i := range d.boxes {
			d.single = append(d.single, d.classScores(i)[class])
		}
		if err := d.suppress(r, min(d.detectionsPerClass, d.maxDetections)); err != nil {
			return 0, err
		}
		for _, b := range d.selected {
			d.found = append(d.found, detection{b, int32(class), d.single[b]})
		}
		slices.SortStableFunc(d.found, func(a, b detection) int { return falling(a.score, b.score) })
		d.found = d.found[:min(len(d.found), d.maxDetections)]
	}
	for i, f := range d.found {
		d.emit(r, i, f)
	}
	return len(d.found), nil
}

// emit writes place i of the results.
func (d *detector) emit(r *op.Run, i int, f detection) {
	b := d.boxes[f.box]
	copy(op.F32s(r.Out[0])[4*i:], []float32{b.y0, b.x0, b.y1, b.x1})
	op.F32s(r.Out[1])[i] = float32(f.class)
	op.F32s(r.Out[2])[i] = f.score
}

// falling compares scores, the greater one first.
func falling(a, b float32) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}
