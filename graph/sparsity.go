package graph

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/litequant/litequant/tensor"
)

// Sparsity says where the stored elements of a sparse constant belong: TFLite's
// SparsityParameters, the format of "Format Abstraction for Sparse Tensor Algebra
// Compilers" (arXiv 1804.10112). The constant's dimensions, and behind them the
// blocks that some of them are divided into, are levels of a tree; its leaves are
// the stored elements, in order.
type Sparsity struct {
	// Order lists the levels from the outermost: i below the rank is dimension i,
	// rank + i is block i.
	Order []int
	// BlockMap has the dimension that each block divides.
	BlockMap []int
	// Levels describe the levels in Order.
	Levels []Level
}

// Level is one level of a sparse constant. A dense one has all its Size indices; a
// sparse one has, below node p of the level above, the indices
// Indices[Segments[p]:Segments[p+1]].
type Level struct {
	Sparse            bool
	Size              int
	Segments, Indices Indices
}

// Indices is a list of indices and the width in bits that a file stores them in:
// 8, 16 (unsigned) or 32; 0 marks a list that is not there.
type Indices struct {
	Bits   int
	Values []int32
}

// String prints a level as Model.String does: dense:SIZE, or sparse:SIZE with both
// lists as :BITS:INDEX/INDEX….
func (l Level) String() string {
	s := "dense:"
	if l.Sparse {
		s = "sparse:"
	}
	s += strconv.Itoa(l.Size)
	if l.Segments.Bits == 0 && l.Indices.Bits == 0 {
		return s
	}
	for _, x := range []Indices{l.Segments, l.Indices} {
		s += ":" + strconv.Itoa(x.Bits) + ":" + list(x.Values, "/", func(i int32) string { return strconv.Itoa(int(i)) })
	}
	return s
}

// parseLevel is the inverse of String.
func parseLevel(s string, l *Level) error {
	parts := strings.Split(s, ":")
	if len(parts) != 2 && len(parts) != 6 || parts[0] != "dense" && parts[0] != "sparse" {
		return malformed("%q is no level", s)
	}
	l.Sparse = parts[0] == "sparse"
	if err := parseInt(parts[1], &l.Size); err != nil || len(parts) == 2 {
		return err
	}
	for i, x := range []*Indices{&l.Segments, &l.Indices} {
		if err := parseInt(parts[2*i+2], &x.Bits); err != nil {
			return err
		}
		if parts[2*i+3] == "" {
			continue
		}
		for _, v := range strings.Split(parts[2*i+3], "/") {
			n, err := strconv.ParseInt(v, 10, 32)
			if err != nil {
				return malformed("%q is no index", v)
			}
			x.Values = append(x.Values, int32(n))
		}
	}
	return nil
}

// Dense returns a constant's elements: Const, or for a sparse constant its
// elements with the zeros between them. Sizes are checked; limit bounds what a
// sparse constant may expand to, in bytes.
func (v *Value) Dense(limit int) ([]byte, error) {
	if v.Sparsity == nil {
		return v.Const, nil
	}
	size := v.DType.Size()
	n, err := v.Shape.Bytes(v.DType)
	switch {
	case err != nil:
		return nil, err
	case size == 0:
		return nil, fmt.Errorf("sparse constant of type %v: %w", v.DType, tensor.ErrUnsupported)
	case n > limit:
		return nil, fmt.Errorf("sparse constant of %d bytes, %d are allowed: %w", n, limit, tensor.ErrLimit)
	}
	e := expansion{s: v.Sparsity, size: size, from: v.Const}
	if err := e.prepare(v.Shape); err != nil {
		return nil, err
	}
	if n == 0 {
		return []byte{}, nil
	}
	e.to = tensor.Aligned(n)
	e.expand(0, 0, 0)
	return e.to, nil
}

// expansion copies the stored elements to their places.
type expansion struct {
	s      *Sparsity
	size   int // of an element
	extent []int
	stride []int // of a level's index, in elements
	from   []byte
	to     []byte
}

// prepare checks the levels against the shape, so that every index that expand
// meets is in range and its work is bounded by the elements.
func (e *expansion) prepare(shape tensor.Shape) error {
	s, rank := e.s, len(shape)
	levels := rank + len(s.BlockMap)
	if len(s.Order) != levels || len(s.Levels) != levels || levels == 0 || levels > 32 {
		return fmt.Errorf("sparse %v with %d levels in an order of %d, want %d: %w", shape, len(s.Levels), len(s.Order), levels, tensor.ErrMalformed)
	}
	block, err := e.blocks(rank)
	if err != nil {
		return err
	}
	e.extent, e.stride = make([]int, levels), make([]int, levels)
	seen := make([]bool, levels)
	above := 1 // nodes of the level above
	for i, d := range s.Order {
		if d < 0 || d >= levels || seen[d] {
			return fmt.Errorf("sparse order %v of %d levels: %w", s.Order, levels, tensor.ErrMalformed)
		}
		seen[d] = true
		e.extent[i], e.stride[i] = place(shape, s.BlockMap, block, d)
		if dim := dimension(s.BlockMap, rank, d); shape[dim]%block[dim] != 0 {
			return fmt.Errorf("sparse dimension of %d in blocks of %d: %w", shape[dim], block[dim], tensor.ErrMalformed)
		}
		if above, err = s.Levels[i].check(e.extent[i], above); err != nil {
			return fmt.Errorf("sparse level %d: %w", i, err)
		}
	}
	if above != len(e.from)/e.size || len(e.from)%e.size != 0 {
		return fmt.Errorf("sparse constant holds %d bytes for %d elements: %w", len(e.from), above, tensor.ErrMalformed)
	}
	return nil
}

// blocks returns each dimension's block size, 1 where it has none.
func (e *expansion) blocks(rank int) ([]int, error) {
	block := make([]int, rank)
	for i := range block {
		block[i] = 1
	}
	for i, d := range e.s.Order {
		if d < rank || d-rank >= len(e.s.BlockMap) {
			continue
		}
		dim, l := e.s.BlockMap[d-rank], &e.s.Levels[i]
		if dim < 0 || dim >= rank || block[dim] != 1 || l.Sparse || l.Size < 1 {
			return nil, fmt.Errorf("sparse block %d of dimension %d: %w", d-rank, dim, tensor.ErrMalformed)
		}
		block[dim] = l.Size
	}
	return block, nil
}

func dimension(blockMap []int, rank, d int) int {
	if d < rank {
		return d
	}
	return blockMap[d-rank]
}

// place returns how many indices dimension or block d has and how many elements
// lie from one to the next.
func place(shape tensor.Shape, blockMap, block []int, d int) (extent, stride int) {
	dim := dimension(blockMap, len(shape), d)
	stride = 1
	for _, n := range shape[dim+1:] {
		stride *= n
	}
	if d >= len(shape) {
		return block[dim], stride
	}
	return shape[dim] / block[dim], stride * block[dim]
}

// check tests a level below the given number of nodes and returns its own number.
func (l *Level) check(extent, above int) (nodes int, err error) {
	if !l.Sparse {
		if l.Size != extent {
			return 0, fmt.Errorf("size %d, want %d: %w", l.Size, extent, tensor.ErrMalformed)
		}
		return tensor.Shape{above, extent}.Elems()
	}
	seg, idx := l.Segments.Values, l.Indices.Values
	if len(seg) != above+1 || seg[0] != 0 || int(seg[above]) != len(idx) {
		return 0, fmt.Errorf("%d segments and %d indices below %d nodes: %w", len(seg), len(idx), above, tensor.ErrMalformed)
	}
	for i := range above {
		if seg[i+1] < seg[i] {
			return 0, fmt.Errorf("segments %d, %d: %w", seg[i], seg[i+1], tensor.ErrMalformed)
		}
	}
	for _, i := range idx {
		if i < 0 || int(i) >= extent {
			return 0, fmt.Errorf("index %d of %d: %w", i, extent, tensor.ErrMalformed)
		}
	}
	return len(idx), nil
}

// expand visits the nodes of a level below node number above, whose first element
// is at. Node numbers count a level's nodes in order, so that a leaf's is its
// position in the stored data.
func (e *expansion) expand(level, above, at int) {
	if level == len(e.s.Levels) {
		copy(e.to[at*e.size:(at+1)*e.size], e.from[above*e.size:])
		return
	}
	l := &e.s.Levels[level]
	if !l.Sparse {
		for i := range l.Size {
			e.expand(level+1, above*l.Size+i, at+i*e.stride[level])
		}
		return
	}
	for i := l.Segments.Values[above]; i < l.Segments.Values[above+1]; i++ {
		e.expand(level+1, int(i), at+int(l.Indices.Values[i])*e.stride[level])
	}
}
