// Package pb holds the protocol buffer messages of a SavedModel: graphs,
// functions, object graphs and checkpoint headers.
//
// The messages have TensorFlow's field numbers but a proto package of their
// own: a program may hold one copy of the descriptors named tensorflow.*, and
// that copy belongs to programs that link TensorFlow's.
package pb

//go:generate sh generate.sh
