package elementwise

import (
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/tensor"
)

// Kernels is the table of an operator's reference kernels by the element type of
// operand 0, from which its row's operand types follow.
type Kernels map[tensor.DType]op.Maker

// Types is the set of element types that have a kernel.
func (k Kernels) Types() op.Types {
	var s op.Types
	for d := range k {
		s |= 1 << d
	}
	return s
}

// Ref selects a kernel by the element type of operand 0.
func (k Kernels) Ref() op.Maker { return op.ByType(0, k) }

// VersionBy is the version rule of operators whose version depends on the
// element type of operand 0 alone; types that are not listed have version 1.
func VersionBy(versions map[tensor.DType]int) func(*op.Call) int {
	return func(c *op.Call) int { return max(versions[c.In[0].DType], 1) }
}

// Version1 is the rule of operators with one version.
func Version1(*op.Call) int { return 1 }
