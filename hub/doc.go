// Package hub loads TensorFlow Hub modules: a directory, a .tar.gz file, or a
// handle of tfhub.dev or kaggle.com that is looked up in TF-Hub's own cache and
// downloaded if it is not there.
//
// Both formats are read, TF1 Hub (tfhub_module.pb beside saved_model.pb) and
// TensorFlow 2's SavedModel. A Module is frozen at one way to call it and read
// whole into memory; it is immutable. Layer embeds it in a network of package
// keras, which also publishes networks as modules.
//
// Whatever a file or archive holds, loading ends with a Module or an error that
// wraps one of package tensor's sentinels, in memory bounded by the input.
package hub
