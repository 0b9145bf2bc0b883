package hub_test

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/litequant/litequant/hub"
)

// A handle is a directory, a .tar.gz file or an address; addresses are looked up in
// TF-Hub's cache before they are downloaded.
func Example() {
	dir := hub.CachePath("https://tfhub.dev/google/nnlm-en-dim128/2", "cache")
	fmt.Println(filepath.Dir(dir), len(filepath.Base(dir)))
	_, err := hub.Load(context.Background(), "no/such/module", hub.Options{})
	fmt.Println(err != nil)
	// Output:
	// cache 40
	// true
}
