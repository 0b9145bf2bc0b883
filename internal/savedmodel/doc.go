// Package savedmodel reads and writes TensorFlow's model files: SavedModel
// directories of TensorFlow 1 and 2, TF-Hub modules and frozen GraphDefs.
//
// Load reads a directory, Freeze turns one of its signatures into a Graph: a
// flat list of nodes in which functions are inlined, variables have become
// constants and nothing is left that the outputs do not need. Write is the
// other way: a TensorFlow 2 SavedModel, optionally in TF-Hub's form, from a
// function's nodes and its variables.
//
// Every checksum of a checkpoint is verified. Malformed input gives an error
// that names the file and wraps tensor.ErrMalformed, ErrUnsupported or
// ErrLimit; it never panics, and no allocation exceeds what the file's size or
// a stated limit justifies.
package savedmodel
