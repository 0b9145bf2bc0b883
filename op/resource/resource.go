// Package resource holds the operators on what outlives an invocation and is shared
// between subgraphs: variables and tables. A resource tensor's bytes are the number
// of what it stands for, an int32.
package resource

import (
	"encoding/binary"
	"fmt"

	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Defs lists the package's operators.
var Defs = []*op.Def{VarHandle, ReadVariable, AssignVariable, Hashtable, HashtableFind, HashtableImport, HashtableSize}

var untouched = op.Quant{None: true}

func version1(*op.Call) int { return 1 }

// putHandle sets result 0 to the number of a resource.
func putHandle(r *op.Run, id int32) { binary.LittleEndian.PutUint32(r.Out[0].Bytes(), uint32(id)) }

// handle reads the number of a resource.
func handle(t tensor.Tensor) (int32, error) {
	if len(t.Bytes()) != 4 {
		return 0, fmt.Errorf("a resource of %d bytes: %w", len(t.Bytes()), tensor.ErrMalformed)
	}
	return int32(binary.LittleEndian.Uint32(t.Bytes())), nil
}

// get returns the resource that operand 0 stands for; nil if there is none yet.
func get[T any](r *op.Run) (id int32, v *T, err error) {
	if id, err = handle(r.In[0]); err != nil {
		return 0, nil, err
	}
	found := r.Host.Resources().Get(id)
	v, ok := found.(*T)
	if found != nil && !ok {
		return 0, nil, fmt.Errorf("resource %d is a %T, not a %T: %w", id, found, v, tensor.ErrType)
	}
	return id, v, nil
}
