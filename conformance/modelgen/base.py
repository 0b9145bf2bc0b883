"""Networks, their conversions and the registry of kinds of models."""

import tempfile

import numpy as np
import tensorflow as tf

keras, L, lite = tf.keras, tf.keras.layers, tf.lite
OPS, DEFAULT, SPARSITY = lite.OpsSet, lite.Optimize.DEFAULT, lite.Optimize.EXPERIMENTAL_SPARSITY

INT8 = dict(optimizations=[DEFAULT], representative_dataset=True)
INT16 = INT8 | dict(ops=[OPS.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8])

# The ways to convert: attributes of the converter, "ops" and "types" of its target_spec.
WAYS = {
    "float": {},
    "dynamic": dict(optimizations=[DEFAULT]),
    "float16": dict(optimizations=[DEFAULT], types=[tf.float16]),
    "int8": INT8,
    "int8-only": INT8 | dict(ops=[OPS.TFLITE_BUILTINS_INT8]),
    "int8-io": INT8 | dict(inference_input_type=tf.int8, inference_output_type=tf.int8),
    "uint8-io": INT8 | dict(inference_input_type=tf.uint8, inference_output_type=tf.uint8),
    "int16x8": INT16,
    "int16x8-io": INT16 | dict(inference_input_type=tf.int16, inference_output_type=tf.int16),
    "int16x8-bias32": INT16 | dict(_experimental_full_integer_quantization_bias_type=tf.int32),
    "per-tensor": INT8 | dict(_experimental_disable_per_channel=True),
    "dynamic-per-tensor": dict(optimizations=[DEFAULT], _experimental_disable_per_channel=True),
    "old-quantizer": INT8 | dict(experimental_new_quantizer=False),
    "old-dynamic": dict(optimizations=[DEFAULT], experimental_new_dynamic_range_quantizer=False),
    "variables": INT8 | dict(_experimental_variable_quantization=True),
    "sparse": dict(optimizations=[SPARSITY]),
    "sparse-dynamic": dict(optimizations=[DEFAULT, SPARSITY]),
    "sparse-int8": INT8 | dict(optimizations=[DEFAULT, SPARSITY]),
    "sparse-float16": dict(optimizations=[DEFAULT, SPARSITY], types=[tf.float16]),
    "int4": dict(optimizations=[DEFAULT], _experimental_low_bit_qat=True),
    "qdq-dynamic": dict(_experimental_qdq_conversion_mode="DYNAMIC"),
    "qdq-static": dict(_experimental_qdq_conversion_mode="STATIC"),
    "offsets": dict(_experimental_use_buffer_offset=True),
    "bare": dict(exclude_conversion_metadata=True, unfold_batchmatmul=True),
    "tensor-lists": dict(_experimental_lower_tensor_list_ops=False, ops=[OPS.TFLITE_BUILTINS, OPS.SELECT_TF_OPS]),
    "resources": dict(experimental_enable_resource_variables=True),
    "custom": dict(allow_custom_ops=True),
    "select": dict(ops=[OPS.TFLITE_BUILTINS, OPS.SELECT_TF_OPS]),
    "slice-updates": dict(_experimental_enable_dynamic_update_slice=True),
}
MOST = ["float", "dynamic", "float16", "int8", "int8-io", "uint8-io", "int16x8", "per-tensor"]
SOME = ["float", "dynamic", "int8", "int16x8"]
FEW = ["float", "int8"]


def converter(model):
    """Of a Keras model, a function or a module and its signatures by name."""
    make = lite.TFLiteConverter
    if isinstance(model, keras.Model):
        return make.from_keras_model(model)
    if isinstance(model, tuple):
        folder = tempfile.mkdtemp()
        tf.saved_model.save(model[0], folder, model[1])
        return make.from_saved_model(folder, signature_keys=sorted(model[1]))
    return make.from_concrete_functions([model.get_concrete_function()], model)


def convert(model, way):
    c = converter(model)
    for name, value in WAYS[way].items():
        if name in ("ops", "types"):
            setattr(c.target_spec, "supported_" + name, value)
        else:
            setattr(c, name, samples(model) if name == "representative_dataset" else value)
    return c.convert()


def samples(model):
    """A representative data set: integers below 8, floats of [-2, 2)."""
    if isinstance(model, tuple):
        (name, f), = model[1].items()
        specs = f.get_concrete_function().structured_input_signature[1]
        return lambda: ((name, {k: sample(s) for k, s in specs.items()}) for _ in range(4))
    specs = model.inputs if isinstance(model, keras.Model) else model.input_signature
    return lambda: ([sample(s) for s in specs] for _ in range(4))


def sample(spec):
    shape = [n or 1 for n in spec.shape]
    if spec.dtype.is_floating:
        return np.random.uniform(-2, 2, shape).astype(spec.dtype.as_numpy_dtype)
    return np.random.randint(0, 2 if spec.dtype.is_bool else 8, shape).astype(spec.dtype.as_numpy_dtype)


KINDS = {}


def kind(f):
    """Registers a generator of (name, what builds the model, ways); without ways it builds the files by name."""
    KINDS[f.__name__] = f
    return f


def network(shape, *layers, batch=1, dtype=None):
    """A sequence of layers over one input."""
    x = first = L.Input(shape, batch_size=batch, dtype=dtype)
    for layer in layers:
        x = layer(x)
    return keras.Model(first, x)


def stirred(model):
    """The model with other values where Keras starts with zeros and ones."""
    values = [w if w.ndim > 1 else w + np.random.uniform(-0.1, 0.1, w.shape) for w in model.get_weights()]
    model.set_weights(values)
    return model
