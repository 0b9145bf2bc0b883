package selection

// The heap algorithms of GNU's C++ library, step by step: in which order they give
// out entries that compare as equal is part of LiteRT's results. less(a, b) says
// that a is below b; the greatest entry is on top.

// pushHeap moves the last entry to its place among the others, which form a heap.
func pushHeap[T any](h []T, less func(a, b T) bool) {
	raise(h, len(h)-1, 0, h[len(h)-1], less)
}

// raise puts v at hole or, while its parent is below it, further up.
func raise[T any](h []T, hole, top int, v T, less func(a, b T) bool) {
	for hole > top {
		parent := (hole - 1) / 2
		if !less(h[parent], v) {
			break
		}
		h[hole] = h[parent]
		hole = parent
	}
	h[hole] = v
}

// popHeap moves the greatest entry to the end.
func popHeap[T any](h []T, less func(a, b T) bool) {
	last := len(h) - 1
	if last > 0 {
		v := h[last]
		h[last] = h[0]
		adjust(h[:last], 0, v, less)
	}
}

// adjust fills hole with the greater of its children down to a leaf, and then
// raises v from there.
func adjust[T any](h []T, hole int, v T, less func(a, b T) bool) {
	top, n := hole, len(h)
	for 2*hole+2 < n {
		child := 2*hole + 2
		if less(h[child], h[child-1]) {
			child--
		}
		h[hole] = h[child]
		hole = child
	}
	if 2*hole+2 == n { // one child
		h[hole] = h[n-1]
		hole = n - 1
	}
	raise(h, hole, top, v, less)
}

// partialSort puts the n smallest entries in front, in order.
func partialSort[T any](v []T, n int, less func(a, b T) bool) {
	h := v[:n]
	for i := n/2 - 1; i >= 0; i-- {
		adjust(h, i, h[i], less)
	}
	for i := n; i < len(v); i++ {
		if n > 0 && less(v[i], h[0]) {
			x := v[i]
			v[i] = h[0]
			adjust(h, 0, x, less)
		}
	}
	for ; len(h) > 1; h = h[:len(h)-1] {
		popHeap(h, less)
	}
}
