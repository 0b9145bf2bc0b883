package stablehlo

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/internal/schema"
	"github.com/litequant/litequant/internal/schema/fb"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// movable are the element types whose slices LiteRT gathers: 8 to 64 bits.
const movable = wholeBytes &^ op.C128

// Gather is STABLEHLO_GATHER: slices of the operand, from where the vectors of
// start_indices say, moved inside where they would reach out of the operand.
var Gather = def(schema.STABLEHLO_GATHER, "2.16.0",
	op.In("operand", movable).In("start_indices", op.Index).Out("result", movable).Like(0), gatherFacts,
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.StablehloGatherOptionsT](c.Node)
		s := gathered(o)
		return op.Kernel{Run: func(r *op.Run) error { return s.gather(r, o.SliceSizes) }}, nil
	})

// Scatter is STABLEHLO_SCATTER: the operand, in which the slices of updates are
// combined with the elements at the places that the vectors of scatter_indices
// say. Elements that fall outside are left out.
var Scatter = named(def(schema.STABLEHLO_SCATTER, "2.15.0",
	op.In("operand", types(sums)).In("scatter_indices", op.Index).In("updates", types(sums)).Like(0).Out("result", types(sums)).Like(0), scatterFacts,
	func(c *op.Call) (op.Kernel, error) {
		o := graph.Options[fb.StablehloScatterOptionsT](c.Node)
		update, err := updateOf(c, o.UpdateComputationSubgraphIndex)
		s := scattered(o)
		return op.Kernel{Run: func(r *op.Run) error { return s.scatter(r, update) }}, err
	}), func(n *graph.Node) int {
	return int(graph.Options[fb.StablehloScatterOptionsT](n).UpdateComputationSubgraphIndex)
})

// combiners are the functions of SCATTER.
var combiners = map[graph.OpCode]function{
	graph.OpCode(schema.STABLEHLO_ADD): sums, graph.OpCode(schema.STABLEHLO_MULTIPLY): products,
	graph.OpCode(schema.STABLEHLO_MAXIMUM): maxima, graph.OpCode(schema.STABLEHLO_MINIMUM): minima,
}

// updateOf returns the function of a subgraph; one without a node replaces.
func updateOf(c *op.Call, subgraph int32) (combine, error) {
	nodes, err := body(c, subgraph)
	if err != nil {
		return nil, err
	}
	if len(nodes) == 0 {
		return func(out, _, update []byte) { copy(out, update) }, nil
	}
	f, ok := combiners[nodes[0].Op]
	if !ok {
		return nil, fmt.Errorf("scatter with %s: %w", op.NameOf(&nodes[0]), tensor.ErrUnsupported)
	}
	return f[c.In[0].DType], nil
}

// slicing is how a tensor of slices (GATHER's result, SCATTER's updates) lies to an
// operand and to index vectors, which are the rows of a tensor along its axis
// vector. A vector's component k is a position along the operand's axis
// components[k]. The slices' axes window are the operand's, less those dropped;
// the others are the indices', less vector.
type slicing struct {
	window, dropped, components []int64
	vector                      int64
}

// gathered: LiteRT takes the offset dimensions in ascending order.
func gathered(o *fb.StablehloGatherOptionsT) *slicing {
	return &slicing{slices.Sorted(slices.Values(o.OffsetDims)), o.CollapsedSliceDims, o.StartIndexMap, o.IndexVectorDim}
}

func scattered(o *fb.StablehloScatterOptionsT) *slicing {
	return &slicing{o.UpdateWindowDims, o.InsertedWindowDims, o.ScatterDimsToOperandDims, o.IndexVectorDim}
}

// axes fails unless a list names different axes of a tensor of the given rank.
func axes(name string, list []int64, rank int) error {
	var seen [maxRank]bool
	for _, d := range list {
		if d < 0 || d >= int64(rank) || seen[d] {
			return fmt.Errorf("%s %v of rank %d: %w", name, list, rank, tensor.ErrMalformed)
		}
		seen[d] = true
	}
	return nil
}

// batch checks the options against the operand's and the indices' shapes. It
// returns the shape of the axes that the slices share with the indices.
func (s *slicing) batch(operand, indices tensor.Shape) (tensor.Shape, error) {
	if s.vector < 0 || s.vector > int64(len(indices)) {
		return nil, fmt.Errorf("index vectors along axis %d of shape %v: %w", s.vector, indices, tensor.ErrMalformed)
	}
	n, batch := 1, indices.Clone()
	if at := int(s.vector); at < len(indices) {
		n, batch = indices[at], slices.Delete(batch, at, at+1)
	}
	if n >= 0 && n < len(s.components) {
		return nil, fmt.Errorf("index vectors of %d components, %d are needed: %w", n, len(s.components), tensor.ErrShape)
	}
	rank := len(s.window) + len(batch)
	if rank > maxRank {
		return nil, fmt.Errorf("slices of rank %d: %w", rank, tensor.ErrUnsupported)
	}
	if len(s.window)+len(s.dropped) != len(operand) {
		return nil, fmt.Errorf("slices of rank %d and %d more axes of an operand of shape %v: %w", len(s.window), len(s.dropped), operand, tensor.ErrMalformed)
	}
	if err := axes("slice axes", s.window, rank); err != nil {
		return nil, err
	}
	if err := axes("missing axes", s.dropped, len(operand)); err != nil {
		return nil, err
	}
	return batch, axes("index components", s.components, len(operand))
}

func gatherFacts(c *op.Call) error {
	in, err := ranked(c, 0, 0, maxRank)
	if err != nil {
		return err
	}
	indices, err := ranked(c, 1, 0, maxRank)
	if err != nil {
		return err
	}
	o := graph.Options[fb.StablehloGatherOptionsT](c.Node)
	s := gathered(o)
	batch, err := s.batch(in, indices)
	if err != nil {
		return err
	}
	if len(o.SliceSizes) != len(in) {
		return fmt.Errorf("slice sizes %v of an operand of shape %v: %w", o.SliceSizes, in, tensor.ErrMalformed)
	}
	var kept tensor.Shape
	for i, n := range o.SliceSizes {
		if n < 0 || n > maxSize || in[i] >= 0 && int(n) > in[i] {
			return fmt.Errorf("slice sizes %v of an operand of shape %v: %w", o.SliceSizes, in, tensor.ErrShape)
		}
		if !slices.Contains(s.dropped, int64(i)) {
			kept = append(kept, int(n))
		}
	}
	out := make(tensor.Shape, len(batch)+len(kept))
	for i := range out {
		list := &batch
		if slices.Contains(s.window, int64(i)) {
			list = &kept
		}
		out[i], *list = (*list)[0], (*list)[1:]
	}
	c.SetResult(0, c.In[0].DType, out)
	return nil
}

func scatterFacts(c *op.Call) error {
	in, err := ranked(c, 0, 0, maxRank)
	if err != nil {
		return err
	}
	indices, err := ranked(c, 1, 0, maxRank)
	if err != nil {
		return err
	}
	updates, err := ranked(c, 2, 0, maxRank)
	if err != nil {
		return err
	}
	s := scattered(graph.Options[fb.StablehloScatterOptionsT](c.Node))
	batch, err := s.batch(in, indices)
	if err != nil {
		return err
	}
	var shared tensor.Shape
	for i, d := range updates {
		if !slices.Contains(s.window, int64(i)) {
			shared = append(shared, d)
		}
	}
	if len(updates) != len(batch)+len(s.window) || shared.Known() && !batch.Fits(shared) {
		return fmt.Errorf("updates of shape %v for indices of shape %v: %w", updates, indices, tensor.ErrShape)
	}
	c.SetResult(0, c.In[0].DType, in.Clone())
	return nil
}

// walk visits the elements of slices in order.
type walk struct {
	// operand is the operand's axis for each axis of the slices that is one of its
	// own, −1 for the others; row is what a step along those moves the index vector
	// by, component what separates two components.
	operand, row dims
	component    int
	index        dims
}

func (s *slicing) walk(rank int, indices tensor.Shape) (w walk) {
	for i := range w.operand {
		w.operand[i] = -1
	}
	axis := 0
	for _, d := range s.window {
		for slices.Contains(s.dropped, int64(axis)) {
			axis++
		}
		w.operand[d] = axis
		axis++
	}
	step, at := 1, len(indices)-1
	for i := rank - 1; i >= 0; i-- {
		if w.operand[i] >= 0 {
			continue
		}
		if at == int(s.vector) {
			w.component, step, at = step, step*indices[at], at-1
		}
		w.row[i] = step
		step *= indices[at]
		at--
	}
	if at >= 0 { // the vectors lie along the first axis
		w.component = step
	}
	return w
}

// start is the place that the index vector of the current element says.
func (w *walk) start(s *slicing, indices tensor.Tensor) (at dims) {
	row := 0
	for i, n := range w.index {
		row += n * w.row[i]
	}
	for k, axis := range s.components {
		at[axis] = integerAt(indices, row+k*w.component)
	}
	return at
}

// add goes from the start to the current element.
func (w *walk) add(at *dims) {
	for i, axis := range w.operand {
		if axis >= 0 {
			at[axis] += w.index[i]
		}
	}
}

// integerAt returns element i of an int32 or int64 tensor.
func integerAt(t tensor.Tensor, i int) int {
	if t.DType() == tensor.Int64 {
		return int(op.I64s(t)[i])
	}
	return int(op.I32s(t)[i])
}

// offset is the position of an index in row-major order, and whether it is inside.
func offset(at *dims, s tensor.Shape) (n int, inside bool) {
	for k, d := range s {
		if at[k] < 0 || at[k] >= d {
			return 0, false
		}
		n = n*d + at[k]
	}
	return n, true
}

func (s *slicing) gather(r *op.Run, sizes []int64) error {
	in, out := r.In[0].Shape(), r.Out[0].Shape()
	src, dst, size := r.In[0].Bytes(), r.Out[0].Bytes(), r.Out[0].DType().Size()
	w := s.walk(len(out), r.In[1].Shape())
	for i := range r.Out[0].Len() {
		if i%polled == 0 && r.Stop() {
			return op.ErrStopped
		}
		at := w.start(s, r.In[1])
		for k, n := range sizes {
			at[k] = max(0, min(at[k], in[k]-int(n)))
		}
		w.add(&at)
		from, _ := offset(&at, in)
		copy(dst[i*size:(i+1)*size], src[from*size:])
		w.index.next(out)
	}
	return nil
}

func (s *slicing) scatter(r *op.Run, update combine) error {
	out, updates := r.Out[0].Shape(), r.In[2].Shape()
	dst, src, size := r.Out[0].Bytes(), r.In[2].Bytes(), r.Out[0].DType().Size()
	copy(dst, r.In[0].Bytes())
	w := s.walk(len(updates), r.In[1].Shape())
	for i := range r.In[2].Len() {
		if i%polled == 0 && r.Stop() {
			return op.ErrStopped
		}
		at := w.start(s, r.In[1])
		w.add(&at)
		if to, inside := offset(&at, out); inside {
			e := dst[to*size : (to+1)*size]
			update(e, e, src[i*size:(i+1)*size])
		}
		w.index.next(updates)
	}
	return nil
}
