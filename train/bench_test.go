package train

import (
	"context"
	"testing"

	"github.com/litequant/litequant/dataset"
	"github.com/litequant/litequant/dataset/mnist"
	"github.com/litequant/litequant/internal/schema/fb"
)

// BenchmarkFit is an epoch over 1,920 images of a network with 3.3 million
// weights, in batches of 64.
func BenchmarkFit(b *testing.B) {
	d, err := mnist.Load()
	if err != nil {
		b.Fatal(err)
	}
	m := newNet(3, 28, 28, 1).conv("c1", 5, 32, true).maxPool().conv("c2", 5, 64, true).maxPool().flatten().
		dense("d1", 1024, fb.ActivationFunctionTypeRELU, true).dense("d2", 10, fb.ActivationFunctionTypeNONE, true).softmax()
	for b.Loop() {
		if _, _, err := FitGraph(context.Background(), m, dataset.Take(d.Train, 1920), Options{BatchSize: 64}); err != nil {
			b.Fatal(err)
		}
	}
}
