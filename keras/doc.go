// Package keras is Keras's networks as values: layers, weights in Keras's own
// layout, and the files that Keras reads and writes (.h5, .keras, SavedModel).
//
// A layer is described once, by its row: how its configuration is read and
// written, and a function that calls it, as Keras's call() does. Calling emits
// TensorFlow's operations under Keras's names and declares weights on the way,
// so one description serves conversion, training and export.
//
// Models are made with Sequential or Functional, or read with Load. Their shapes
// are checked when they are made; all problems of a model are reported at once,
// each naming its layer and class. Files never make it panic. A Model is not safe
// for concurrent use while its weights are being changed.
package keras
