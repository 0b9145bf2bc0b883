package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"strings"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/op"
	"github.com/litequant/litequant/op/quantop"
	"github.com/litequant/litequant/tensor"
)

func isImage(b []byte) bool {
	return strings.HasPrefix(string(b[:min(8, len(b))]), "\x89PNG\r\n\x1a\n")
}

// maxPixels bounds an image before it is decoded.
const maxPixels = 1 << 26

// imageFor decodes a PNG image as an input takes it: [1,H,W,C] with the input's
// number of channels, preprocessed to real values, quantized where the input is.
func imageFor(b []byte, v *graph.Value, preprocess string) (tensor.Tensor, error) {
	shape := v.Partial()
	channels := 0
	switch {
	case len(shape) == 4:
		channels = shape[3]
	case len(shape) == 3: // [1,H,W] or [H,W,C]
		channels = 1
		if c := shape[2]; shape[0] != 1 && (c == 1 || c == 3 || c == 4) {
			channels = c
		}
	}
	if channels != 1 && channels != 3 && channels != 4 {
		return tensor.Tensor{}, fmt.Errorf("input %q takes %v, no image of 1, 3 or 4 channels: %w", v.Name, shape, tensor.ErrShape)
	}
	pixels, err := decodePNG(b, channels)
	if err != nil {
		return tensor.Tensor{}, err
	}
	size := pixels.Shape()
	switch {
	case len(shape) == 3 && channels == 1 && shape[2] != 1:
		pixels, err = pixels.Reshaped(tensor.Shape{1, size[0], size[1]})
	case len(shape) == 4:
		pixels, err = pixels.Reshaped(append(tensor.Shape{1}, size...))
	}
	if err != nil {
		return tensor.Tensor{}, err
	}
	if v.DType == tensor.UInt8 && v.Quant.IsZero() {
		return pixels, nil
	}
	real, err := preprocessed(pixels, preprocess)
	if err != nil || v.DType == tensor.Float32 {
		return real, err
	}
	return quantized(real, v)
}

// decodePNG returns an image's pixels as [H,W,channels].
func decodePNG(b []byte, channels int) (tensor.Tensor, error) {
	config, err := png.DecodeConfig(bytes.NewReader(b))
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%w: %w", err, tensor.ErrMalformed)
	}
	if config.Width*config.Height > maxPixels {
		return tensor.Tensor{}, fmt.Errorf("image of %d×%d pixels: %w", config.Width, config.Height, tensor.ErrLimit)
	}
	m, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%w: %w", err, tensor.ErrMalformed)
	}
	size := m.Bounds().Size()
	out := make([]uint8, 0, size.X*size.Y*channels)
	for y := range size.Y {
		for x := range size.X {
			out = appendPixel(out, m, m.Bounds().Min.Add(image.Pt(x, y)), channels)
		}
	}
	return tensor.Of(tensor.Shape{size.Y, size.X, channels}, out...)
}

func appendPixel(out []uint8, m image.Image, at image.Point, channels int) []uint8 {
	c := m.At(at.X, at.Y)
	if channels == 1 {
		return append(out, color.GrayModel.Convert(c).(color.Gray).Y)
	}
	p := color.NRGBAModel.Convert(c).(color.NRGBA)
	return append(out, []uint8{p.R, p.G, p.B, p.A}[:channels]...)
}

func preprocessed(t tensor.Tensor, steps string) (tensor.Tensor, error) {
	p, err := dataset.ParsePreprocessing(steps)
	if err != nil {
		return tensor.Tensor{}, usagef("such as /255 or [-1,1] or none", "--preprocess: %w", err)
	}
	one, err := t.Reshaped(append(tensor.Shape{1}, t.Shape()...))
	if err != nil {
		return tensor.Tensor{}, err
	}
	src, err := dataset.FromColumns(dataset.Columns{Inputs: []dataset.Column{{Name: "image", Values: one}}})
	if err != nil {
		return tensor.Tensor{}, err
	}
	ready, err := dataset.Preprocess(src, p)
	if err != nil {
		return tensor.Tensor{}, err
	}
	fit, err := dataset.Conform(ready, []dataset.Field{{Name: "image", DType: tensor.Float32, Shape: t.Shape()}})
	if err != nil {
		return tensor.Tensor{}, err
	}
	s, err := fit.(dataset.Indexed).At(0)
	if err != nil {
		return tensor.Tensor{}, err
	}
	return s.Inputs[0], nil
}

// quantized is the operator QUANTIZE to an input's parameters.
func quantized(real tensor.Tensor, v *graph.Value) (tensor.Tensor, error) {
	out := op.Declared(v)
	out.Shape = real.Shape()
	c := &op.Call{
		Node: &graph.Node{Op: quantop.Quantize.Code},
		In:   []op.Fact{{Present: true, DType: tensor.Float32, Shape: real.Shape(), Const: real.Bytes()}},
		Out:  []op.Fact{out},
	}
	if err := quantop.Quantize.Check(c); err != nil {
		return tensor.Tensor{}, err
	}
	outs, err := op.Evaluate(quantop.Quantize, c)
	if err != nil {
		return tensor.Tensor{}, err
	}
	return outs[0], nil
}
