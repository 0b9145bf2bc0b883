package selection

import (
	"fmt"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/libm"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// NonMaxSuppressionV4 is NON_MAX_SUPPRESSION_V4: the boxes with the greatest scores
// that overlap no box selected before by the IoU threshold or more. Unused places
// of the result are 0.
var NonMaxSuppressionV4 = &op.Def{
	Code:     graph.OpCode(schema.NON_MAX_SUPPRESSION_V4),
	Name:     "NON_MAX_SUPPRESSION_V4",
	Operands: nmsOperands().Out("selected", op.I32).Out("count", op.I32),
	Facts:    nmsFacts,
	Version:  version1,
	Since:    []string{"2.1.0"},
	Quant:    float,
	Ref: func(*op.Call) (op.Kernel, error) {
		return op.Kernel{State: newNMS, Run: func(r *op.Run) error { return suppress(r, 0, nil, op.I32s(r.Out[1])) }}, nil
	},
}

// NonMaxSuppressionV5 is NON_MAX_SUPPRESSION_V5: with a sigma above 0 selected boxes
// also lower the scores of those that overlap them (soft NMS).
var NonMaxSuppressionV5 = &op.Def{
	Code:     graph.OpCode(schema.NON_MAX_SUPPRESSION_V5),
	Name:     "NON_MAX_SUPPRESSION_V5",
	Operands: nmsOperands().In("sigma", op.F32).Out("selected", op.I32).Out("scores", op.F32).Out("count", op.I32),
	Facts:    nmsFacts,
	Version:  version1,
	Since:    []string{"2.1.0"},
	Quant:    float,
	Ref: func(*op.Call) (op.Kernel, error) {
		return op.Kernel{State: newNMS, Run: func(r *op.Run) error {
			sigma := op.F32s(r.In[5])[0]
			if sigma < 0 {
				return fmt.Errorf("sigma %v: %w", sigma, tensor.ErrMalformed)
			}
			return suppress(r, sigma, op.F32s(r.Out[1]), op.I32s(r.Out[2]))
		}}, nil
	},
}

func nmsOperands() op.Operands {
	return op.In("boxes", op.F32).In("scores", op.F32).In("max_output_size", op.I32).
		In("iou_threshold", op.F32).In("score_threshold", op.F32)
}

func nmsFacts(c *op.Call) error {
	boxes, err := c.Shape(0)
	if err != nil {
		return err
	}
	scores, err := c.Shape(1)
	if err != nil {
		return err
	}
	if len(boxes) != 2 || !op.Compatible(boxes, tensor.Shape{-1, 4}) || !op.Compatible(scores, boxes[:1]) {
		return fmt.Errorf("boxes of shape %v with scores of shape %v: %w", boxes, scores, tensor.ErrShape)
	}
	for i := 2; i < len(c.In); i++ {
		if !c.In[i].Unknown && len(c.In[i].Shape) != 0 {
			return fmt.Errorf("operand %d has shape %v, want a scalar: %w", i, c.In[i].Shape, tensor.ErrShape)
		}
		if c.In[i].Unknown {
			return op.ErrLater
		}
	}
	n, err := c.Number(2)
	if err != nil {
		return err
	}
	if n < 0 {
		return fmt.Errorf("at most %d boxes: %w", n, tensor.ErrMalformed)
	}
	last := len(c.Out) - 1
	for k := range last {
		c.SetResult(k, c.Out[k].DType, tensor.Shape{n})
	}
	c.SetResult(last, tensor.Int32, tensor.Shape{})
	return nil
}

// candidate is a box that may be selected; those selected before from are known
// not to suppress it.
type candidate struct {
	box   int32
	score float32
	from  int
}

// nms is the memory of a node.
type nms struct{ queue []candidate }

func newNMS() any { return new(nms) }

func belowScore(a, b candidate) bool { return a.score < b.score }

// suppress fills the results; scores may be nil. As in LiteRT a selected box stays
// in the queue: it suppresses itself, unless its area is 0; then it is selected
// again.
func suppress(r *op.Run, sigma float32, scores []float32, count []int32) error {
	st := r.State.(*nms)
	iouThreshold, threshold := op.F32s(r.In[3])[0], op.F32s(r.In[4])[0]
	st.fill(op.F32s(r.In[1]), threshold)
	boxes, selected := op.F32s(r.In[0]), op.I32s(r.Out[0])
	clear(selected)
	clear(scores)
	most, n := min(len(st.queue), len(selected)), 0
	scale := float32(-0.5 / float64(sigma)) // of the Gaussian that lowers scores
	for n < most && len(st.queue) > 0 {
		if r.Stop() {
			return op.ErrStopped
		}
		next := st.pop()
		before, hard := next.score, false
		for j := n - 1; j >= next.from; j-- {
			iou := overlap(corners(boxes, next.box), corners(boxes, selected[j]))
			if hard = iou >= iouThreshold; hard {
				break
			}
			if sigma > 0 {
				next.score *= libm.Expf(scale * iou * iou)
			}
			if next.score <= threshold {
				break
			}
		}
		next.from = n
		if hard {
			continue
		}
		if next.score == before {
			selected[n] = next.box
			if scores != nil {
				scores[n] = next.score
			}
			n++
		}
		if next.score > threshold {
			st.push(next)
		}
	}
	count[0] = int32(n)
	return nil
}

// fill queues the boxes whose score is above the threshold.
func (st *nms) fill(scores []float32, threshold float32) {
	st.queue = st.queue[:0]
	for i, s := range scores {
		if s > threshold {
			st.push(candidate{int32(i), s, 0})
		}
	}
}

func (st *nms) push(c candidate) {
	st.queue = append(st.queue, c)
	pushHeap(st.queue, belowScore)
}

func (st *nms) pop() candidate {
	popHeap(st.queue, belowScore)
	last := len(st.queue) - 1
	c := st.queue[last]
	st.queue = st.queue[:last]
	return c
}

// box is a rectangle: from (y0, x0) to (y1, x1).
type box struct{ y0, x0, y1, x1 float32 }

// corners reads box i of a list of two diagonal corners each.
func corners(boxes []float32, i int32) box {
	b := boxes[4*int(i):][:4]
	return box{least(b[0], b[2]), least(b[1], b[3]), greatest(b[0], b[2]), greatest(b[1], b[3])}
}

// least and greatest are std::min and std::max: of a NaN and a number the first.
func least(a, b float32) float32 {
	if b < a {
		return b
	}
	return a
}

func greatest(a, b float32) float32 {
	if a < b {
		return b
	}
	return a
}

// overlap is the area of the intersection divided by that of the union, 0 where a
// box has no area.
func overlap(a, b box) float32 {
	areaA, areaB := a.area(), b.area()
	if areaA <= 0 || areaB <= 0 {
		return 0
	}
	height := greatest(least(a.y1, b.y1)-greatest(a.y0, b.y0), 0)
	width := greatest(least(a.x1, b.x1)-greatest(a.x0, b.x0), 0)
	common := float32(height * width)
	return common / (areaA + areaB - common)
}

func (b box) area() float32 { return float32((b.y1 - b.y0) * (b.x1 - b.x0)) }
