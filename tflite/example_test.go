package tflite_test

import (
	"fmt"
	"log"

	"github.com/litequant/litequant/graph"
	"github.com/litequant/litequant/tflite"
)

// A model becomes a file and a file a model; versions come from the operators'
// rows.
func Example() {
	m, err := graph.Parse(`model "example"
subgraph "main" inputs=%0 outputs=%1
  %0 int8[1,4] "x" scale=0.1 zero=0
  %1 int8[1,4] "y" scale=0.1 zero=0
  RELU(%0) -> %1
`)
	if err != nil {
		log.Fatal(err)
	}
	file, err := tflite.Encode(m)
	if err != nil {
		log.Fatal(err)
	}
	read, err := tflite.Decode(file, tflite.DecodeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tflite.IsFile(file), read.Main().Nodes[0].Version)
	// Output: true 2
}
