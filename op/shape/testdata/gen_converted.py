"""Writes converted.zip: what TensorFlow's converter makes of one operator each.

MODE/NAME.tflite for the modes float, int8 and int16 (16x8). The tests compare the
declared operator versions, and which operators are quantized with whose
parameters, with the operators' rows.
"""

import io
import os
import zipfile

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
from tensorflow.compiler.tf2xla.ops.gen_xla_ops import xla_dynamic_update_slice

F, I, B = tf.float32, tf.int32, tf.bool

# name: (function, element type, shapes of the inputs; None is 2)
CASES = {
    "strided_slice": (lambda x: x[:, 1:3, ::2], F, [(2, 4, 4)]),
    "strided_slice_new_axis": (lambda x: x[..., tf.newaxis, 1:3], F, [(2, 4, 4)]),
    "strided_slice_rank5": (lambda x: x[:, 1:2], F, [(1, 2, 2, 2, 2)]),
    "strided_slice_bool": (lambda x: x[:, 1:3], B, [(2, 4)]),
    "strided_slice_int32": (lambda x: x[:, 1:3], I, [(2, 4)]),
    "slice": (lambda x: tf.slice(x, [0, 1], [-1, 2]), F, [(2, 4)]),
    "slice_rank5": (lambda x: tf.slice(x, [0, 1, 0, 0, 0], [1, 1, 1, 1, 1]), F, [(1, 2, 2, 2, 2)]),
    "transpose": (lambda x: tf.transpose(x, [0, 2, 1]), F, [(2, 3, 4)]),
    "transpose_rank5": (lambda x: tf.transpose(x, [4, 0, 2, 1, 3]), F, [(2, 3, 2, 2, 2)]),
    "transpose_rank6": (lambda x: tf.transpose(x, [4, 0, 5, 2, 1, 3]), F, [(2, 3, 2, 2, 2, 2)]),
    "transpose_bool": (lambda x: tf.transpose(x, [1, 0]), B, [(2, 3)]),
    "concat": (lambda x, y: tf.concat([x, y], 1), F, [(2, 3), (2, 4)]),
    "pack": (lambda x, y: tf.stack([x, y], 1), F, [(2, 3), (2, 3)]),
    "unpack": (lambda x: tf.unstack(x, axis=1), F, [(2, 3)]),
    "unpack_bool": (lambda x: tf.unstack(x, axis=1), B, [(2, 3)]),
    "split": (lambda x: tf.split(x, 2, 1), F, [(2, 4)]),
    "split_int32": (lambda x: tf.split(x, 2, 1), I, [(2, 4)]),
    "split_v": (lambda x: tf.split(x, [1, 3], 1), F, [(2, 4)]),
    "pad": (lambda x: tf.pad(x, [[1, 0], [0, 2]]), F, [(2, 4)]),
    "pad_rank5": (lambda x: tf.pad(x, [[1, 0], [0, 2], [0, 0], [0, 0], [1, 1]]), F, [(1, 2, 2, 2, 2)]),
    "padv2": (lambda x: tf.pad(x, [[1, 0], [0, 2]], constant_values=0.5), F, [(2, 4)]),
    "mirror_pad": (lambda x: tf.pad(x, [[1, 0], [0, 2]], "REFLECT"), F, [(2, 4)]),
    "gather": (lambda x: tf.gather(x, [1, 0, 1]), F, [(2, 4)]),
    "gather_batch": (lambda x: tf.gather(x, [[1], [0]], batch_dims=1), F, [(2, 4)]),
    "gather_bool": (lambda x: tf.gather(x, [1, 0, 1]), B, [(2, 4)]),
    "gather_nd": (lambda x: tf.gather_nd(x, [[1, 0], [0, 3]]), F, [(2, 4)]),
    "scatter_nd": (lambda x: tf.scatter_nd([[1], [3]], x, [5, 4]), F, [(2, 4)]),
    "tile": (lambda x: tf.tile(x, [2, 3]), F, [(2, 4)]),
    "broadcast_to": (lambda x: tf.broadcast_to(x, [3, 2, 4]), F, [(2, 4)]),
    "reverse": (lambda x: tf.reverse(x, [1]), F, [(2, 4)]),
    "reverse_bool": (lambda x: tf.reverse(x, [1]), B, [(2, 4)]),
    "reverse_sequence": (lambda x: tf.reverse_sequence(x, [1, 3], 1), F, [(2, 4)]),
    "fill": (lambda x: tf.fill([2, 3], x), F, [()]),
    "fill_bool": (lambda x: tf.fill([2, 3], x), B, [()]),
    "zeros_like": (lambda x: tf.zeros_like(x) + x, F, [(2, 4)]),
    "range": (lambda x: tf.range(x, 9), I, [()]),
    "space_to_depth": (lambda x: tf.nn.space_to_depth(x, 2), F, [(1, 4, 4, 1)]),
    "depth_to_space": (lambda x: tf.nn.depth_to_space(x, 2), F, [(1, 2, 2, 4)]),
    "space_to_batch": (lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [1, 1]]), F, [(1, 4, 4, 1)]),
    "batch_to_space": (lambda x: tf.batch_to_space(x, [2, 2], [[0, 0], [1, 1]]), F, [(4, 4, 4, 1)]),
    "bilinear": (lambda x: tf.compat.v1.image.resize_bilinear(x, [6, 6]), F, [(1, 3, 3, 1)]),
    "bilinear_half_pixel": (lambda x: tf.compat.v1.image.resize_bilinear(x, [6, 6], half_pixel_centers=True), F, [(1, 3, 3, 1)]),
    "bilinear_align": (lambda x: tf.compat.v1.image.resize_bilinear(x, [6, 6], align_corners=True), F, [(1, 3, 3, 1)]),
    "nearest": (lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, [6, 6]), F, [(1, 3, 3, 1)]),
    "nearest_half_pixel": (lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, [6, 6], half_pixel_centers=True), F, [(1, 3, 3, 1)]),
    "nearest_align": (lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, [6, 6], align_corners=True), F, [(1, 3, 3, 1)]),
    "squeeze": (lambda x: tf.squeeze(x, [1]), F, [(None, 1, 4)]),
    "expand_dims": (lambda x: tf.expand_dims(x, 1), F, [(None, 4)]),
    "shape": (lambda x: tf.shape(x), F, [(None, 4)]),
    "shape_int64": (lambda x: tf.shape(x, tf.int64), F, [(None, 4)]),
    "zeros_like_dynamic": (lambda x: tf.zeros_like(x), F, [(None, 4)]),
    "dynamic_update_slice": (lambda x, y: xla_dynamic_update_slice(x, y, [1, 0]), F, [(4, 3), (2, 2)]),
    "mean": (lambda x: tf.reduce_mean(x, [1]), F, [(2, 4)]),
    "sum": (lambda x: tf.reduce_sum(x, [1]), F, [(2, 4)]),
    "prod": (lambda x: tf.reduce_prod(x, [1]), F, [(2, 4)]),
    "max": (lambda x: tf.reduce_max(x, [1]), F, [(2, 4)]),
    "min": (lambda x: tf.reduce_min(x, [1]), F, [(2, 4)]),
    "any": (lambda x: tf.reduce_any(x, [1]), B, [(2, 4)]),
    "all": (lambda x: tf.reduce_all(x, [1]), B, [(2, 4)]),
    "arg_max": (lambda x: tf.argmax(x, 1), F, [(2, 4)]),
    "arg_min": (lambda x: tf.argmin(x, 1), F, [(2, 4)]),
    "cumsum": (lambda x: tf.cumsum(x, 1), F, [(2, 4)]),
}


def convert(name, mode):
    f, dtype, shapes = CASES[name]
    if mode != "float" and dtype is not F:
        return None

    def net(*x):  # a quantized operator on either side, so that there is something to propagate
        if mode == "float":
            return f(*x)
        y = f(*[v * w for v, w in zip(x, (1.5, 0.7))])
        return [v * 0.9 if v.dtype == F else v for v in tf.nest.flatten(y)]

    signature = [tf.TensorSpec(s, dtype) for s in shapes]
    concrete = tf.function(net, input_signature=signature).get_concrete_function()
    c = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    if mode != "float":
        rng = np.random.default_rng(1)
        c.optimizations = [tf.lite.Optimize.DEFAULT]
        c.representative_dataset = lambda: ([rng.uniform(-1 - i, 2 + i, [d or 2 for d in s]).astype(np.float32) for i, s in enumerate(shapes)] for _ in range(3))
        ops = tf.lite.OpsSet
        c.target_spec.supported_ops = [ops.TFLITE_BUILTINS_INT8 if mode == "int8" else ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8, ops.TFLITE_BUILTINS]
    try:
        return c.convert()
    except Exception as e:  # an operator without a form in this mode
        print(mode, name, str(e).splitlines()[0][:150])
        return None


def main():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as z:
        for mode in ("float", "int8", "int16"):
            for name in CASES:
                data = convert(name, mode)
                if data is not None:
                    z.writestr(zipfile.ZipInfo(f"{mode}/{name}.tflite", (1980, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED, 9)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "converted.zip")
    with open(path, "wb") as f:
        f.write(out.getvalue())
    print(os.path.getsize(path), "bytes")


if __name__ == "__main__":
    main()
