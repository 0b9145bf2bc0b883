package graph_test

import (
	"fmt"
	"log"

	"github.com/litequant/litequant/graph"
)

// Models print as text and are read back from it.
func Example() {
	m, err := graph.Parse(`model "example"
subgraph "main" inputs=%0 outputs=%1
  %0 float32[?,2] "x"
  %1 float32[?,2] "y"
  RELU(%0) -> %1
`)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Validate(), len(m.Main().Nodes), m.Main().Value(0).Partial())
	fmt.Print(m)
	// Output:
	// <nil> 1 [?,2]
	// model "example"
	// subgraph "main" inputs=%0 outputs=%1
	//   %0 float32[?,2] "x"
	//   %1 float32[?,2] "y"
	//   RELU(%0) -> %1
}
