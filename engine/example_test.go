package engine_test

import (
	"context"
	"fmt"
	"log"

	"github.com/litequant/litequant/engine"
	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tensor"
)

// A program is compiled once; each goroutine has a runner.
func Example() {
	m, err := graph.Parse(exampleModel)
	if err != nil {
		log.Fatal(err)
	}
	p, err := engine.Compile(m, engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	r, err := p.NewRunner("")
	if err != nil {
		log.Fatal(err)
	}
	if err := r.Resize("x", tensor.Shape{2, 2}); err != nil {
		log.Fatal(err)
	}
	copy(tensor.View[float32](r.Input("x").Bytes()), []float32{1, -2, 3, -4})
	if err := r.Invoke(context.Background()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(r.Output("y").Shape(), r.Output("y").Float32s())
	// Output: [2,2] [1 0 3 0]
}

// exampleModel is graph's text form: one RELU over a batch of pairs.
const exampleModel = `model "example"
subgraph "main" inputs=%0 outputs=%1
  %0 float32[?,2] "x"
  %1 float32[?,2] "y"
  RELU(%0) -> %1
`
