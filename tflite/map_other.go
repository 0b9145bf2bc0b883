//go:build !unix

package tflite

import "os"

func mapFile(name string) ([]byte, error) { return os.ReadFile(name) }

func unmapFile([]byte) error { return nil }
