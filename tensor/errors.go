package tensor

import "errors"

// The reasons an operation fails, for errors.Is. Errors that carry a place
// (file, subgraph, node, value) wrap one of these.
var (
	ErrUnsupported = errors.New("not supported")
	ErrMalformed   = errors.New("malformed")
	ErrLimit       = errors.New("limit exceeded")
	ErrShape       = errors.New("wrong shape")
	ErrType        = errors.New("wrong element type")
)
