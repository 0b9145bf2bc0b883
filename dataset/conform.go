package dataset

import (
	"fmt"
	"slices"

	"github.com/litequant/litequant/tensor"
)

// Conform fits src to a model's inputs, given in the model's order without batch
// axis: the inputs take the model's names; axes of size one are added or
// dropped where only they differ ([28,28] for [28,28,1]); values become float32
// where the model takes float32. Other element types stay, since how they are
// quantized is the model's business. It fails with ErrShape where the data does
// not fit.
func Conform(src Source, want []Field) (Source, error) {
	spec := src.Spec()
	if len(spec.Inputs) != len(want) {
		return nil, fmt.Errorf("data has %d inputs, the model %d: %w", len(spec.Inputs), len(want), tensor.ErrShape)
	}
	fields := slices.Clone(spec.Inputs)
	converts := make([]convert, len(want))
	same := true
	for k, w := range want {
		have := fields[k]
		shape, ok := fit(have.Shape, w.Shape)
		if !ok {
			return nil, fmt.Errorf("input %q: data has shape %v, the model takes %v: %w", w.Name, have.Shape, w.Shape, tensor.ErrShape)
		}
		fields[k] = Field{w.Name, have.DType, shape}
		if w.DType == tensor.Float32 && have.DType != tensor.Float32 {
			cast, err := toFloat32(have)
			if err != nil {
				return nil, fmt.Errorf("input %q: %w", w.Name, err)
			}
			converts[k], fields[k].DType = cast, tensor.Float32
		}
		same = same && fields[k].equal(have)
	}
	if same {
		return src, nil
	}
	spec.Inputs = fields
	return withConverts(src, spec, converts), nil
}

// fit returns the shape that data of shape have takes for a model that wants a
// shape with unknown dimensions.
func fit(have, want tensor.Shape) (tensor.Shape, bool) {
	candidates := []tensor.Shape{have, append(have.Clone(), 1), append(tensor.Shape{1}, have...)}
	if n := len(have); n > 0 && have[n-1] == 1 {
		candidates = append(candidates, have[:n-1])
	}
	if want.Known() && slices.Equal(squeeze(have), squeeze(want)) {
		candidates = append(candidates, want)
	}
	for _, c := range candidates {
		if want.Fits(c) {
			return c.Clone(), true
		}
	}
	return nil, false
}

// squeeze drops the axes of size one.
func squeeze(s tensor.Shape) []int {
	return slices.DeleteFunc(s.Clone(), func(d int) bool { return d == 1 })
}
