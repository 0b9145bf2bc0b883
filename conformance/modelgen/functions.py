"""tf.functions: control flow, strings, variables, tables and what else no layer has."""

import numpy as np
import tensorflow as tf

from .base import L, keras, kind


def spec(dtype, *shape):
    return tf.TensorSpec(shape, dtype)


FLOAT, INT, LONG, BOOL, TEXT = tf.float32, tf.int32, tf.int64, tf.bool, tf.string


def collatz(n):
    steps = tf.constant(0)
    while n > 1 and steps < 200:
        if n % 2 == 0:
            n //= 2
        else:
            n = 3 * n + 1
        steps += 1
    return steps


def running(x):
    total = tf.zeros(x.shape[1:])
    for row in x:
        if tf.reduce_sum(row) > 1.0:
            continue
        total += row
        if tf.reduce_max(total) > 4.0:
            break
    return total


def collected(x):
    a = tf.TensorArray(FLOAT, 0, dynamic_size=True, element_shape=(3,))
    for i in tf.range(tf.shape(x)[0]):
        a = a.write(i, x[i] * tf.cast(i, FLOAT))
    return a.stack()


def power(x, n):
    return tf.while_loop(lambda i, y: i < n, lambda i, y: (i + 1, tf.linalg.matmul(y, x)), (0, tf.eye(3)))[1]


def nested(x):
    def outer(i, a):
        inner = tf.while_loop(lambda j, b: j < i, lambda j, b: (j + 1, b + tf.sin(b)), (0, a))
        return i + 1, tf.cond(tf.reduce_sum(inner[1]) > 0.0, lambda: inner[1] * 0.5, lambda: inner[1] - 1.0)

    return tf.while_loop(lambda i, a: i < 4, outer, (0, x))


def growing(x):
    grow = lambda i, a: (i + 1, tf.concat([a, x], 0))
    return tf.while_loop(lambda i, a: i < 3, grow, (0, x), (tf.TensorShape([]), tf.TensorShape([None, 2])))[1]


def mfcc(x):
    s = tf.raw_ops.AudioSpectrogram(input=x, window_size=64, stride=32, magnitude_squared=True)
    return tf.raw_ops.Mfcc(spectrogram=s, sample_rate=16000, upper_frequency_limit=4000.0, dct_coefficient_count=13)


def mel(x):
    s = tf.abs(tf.signal.stft(x, 64, 32, 64))
    m = tf.matmul(s, tf.signal.linear_to_mel_weight_matrix(20, 33, 16000))
    return tf.signal.mfccs_from_log_mel_spectrograms(tf.math.log(m + 1e-6))


def segments(x, ids):
    names = "sum mean max min prod".split()
    return [getattr(tf.math, "unsorted_segment_" + n)(x, ids, 4) for n in names if n != "mean"]


def functions_by_name():
    image, square, row = spec(FLOAT, 1, 6, 7, 3), spec(FLOAT, 4, 4), spec(FLOAT, 8)
    complexes, ints, longs, bools = spec(tf.complex64, 2, 8), spec(INT, 3, 4), spec(LONG, 3, 4), spec(BOOL, 3, 4)
    m = tf.math
    return {
        "while": ([spec(INT)], collatz),
        "for": ([spec(FLOAT, 5, 3)], running),
        "for-rows": ([spec(FLOAT, None, 3)], running),
        "array": ([spec(FLOAT, 5, 3)], collected),
        "array-rows": ([spec(FLOAT, None, 3)], collected),
        "power": ([spec(FLOAT, 3, 3), spec(INT)], power),
        "nested": ([spec(FLOAT, 3)], nested),
        "growing": ([spec(FLOAT, 2, 2)], growing),
        "cond": ([row, spec(BOOL)], lambda x, b: tf.cond(b, lambda: x * 2, lambda: tf.reverse(x, [0]))),
        "map": ([spec(FLOAT, 4, 3)], lambda x: tf.map_fn(lambda r: tf.cumsum(r), x)),
        "map-rows": ([spec(FLOAT, None, 3)], lambda x: tf.map_fn(m.tanh, x)),
        "scan": ([spec(FLOAT, 4, 3)], lambda x: tf.scan(lambda a, r: a * 0.5 + r, x)),
        "fold": ([spec(FLOAT, 4, 3)], lambda x: tf.foldl(lambda a, r: a * 0.5 + r, x)),
        "vectorized": ([spec(FLOAT, 4, 3)], lambda x: tf.vectorized_map(lambda r: r * tf.reduce_sum(r), x)),
        "stft": ([spec(FLOAT, 256)], lambda x: tf.abs(tf.signal.stft(x, 64, 32))),
        "mfcc": ([spec(FLOAT, 256, 1)], mfcc),
        "mel": ([spec(FLOAT, 256)], mel),
        "stft-complex": ([spec(FLOAT, 2, 128)], lambda x: tf.signal.stft(x, 32, 16)),
        "frames": ([spec(FLOAT, None)], lambda x: tf.signal.frame(x, 4, 2)),
        "rfft": ([spec(FLOAT, 2, 16)], tf.signal.rfft),
        "rfft2d": ([spec(FLOAT, 2, 8, 8)], tf.signal.rfft2d),
        "fft": ([complexes], tf.signal.fft),
        "dct": ([spec(FLOAT, 2, 16)], tf.signal.dct),
        "spectrogram": ([spec(FLOAT, 256)], lambda x: m.log(tf.abs(tf.signal.stft(x, 64, 32)) + 1)),
        "complex": ([complexes], lambda x: (m.real(x), m.imag(x), tf.abs(x), m.conj(x) * x)),
        "complex-made": ([row, row], tf.complex),
        "resize": ([image], lambda x: [tf.image.resize(x, (9, 5), n) for n in ("bilinear", "nearest", "bicubic", "lanczos3", "area")]),
        "resize-legacy": ([image], lambda x: [f(x, (9, 5), align_corners=a) for a in (False, True) for f in (tf.compat.v1.image.resize_bilinear, tf.compat.v1.image.resize_nearest_neighbor)]),
        "resize-any": ([spec(FLOAT, 1, None, None, 3), spec(INT, 2)], lambda x, n: tf.image.resize(x, tf.clip_by_value(n, 1, 9))),
        "crop": ([image], lambda x: (tf.image.central_crop(x, 0.5), tf.image.crop_to_bounding_box(x, 1, 2, 3, 4), tf.image.pad_to_bounding_box(x, 1, 1, 9, 9))),
        "crop-resize": ([image, spec(FLOAT, 2, 4)], lambda x, b: tf.image.crop_and_resize(x, b, [0, 0], (4, 4))),
        "colours": ([image], lambda x: (tf.image.rgb_to_grayscale(x), tf.image.rgb_to_yuv(x), tf.image.per_image_standardization(x), tf.image.adjust_contrast(x, 2), tf.image.rgb_to_hsv(x))),
        "flips": ([image], lambda x: (tf.image.flip_left_right(x), tf.image.flip_up_down(x), tf.image.rot90(x), tf.image.transpose(x))),
        "sobel": ([image], tf.image.sobel_edges),
        "gradients": ([image], tf.image.image_gradients),
        "patches": ([image], lambda x: tf.image.extract_patches(x, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID")),
        "ssim": ([spec(FLOAT, 1, 12, 12, 1)] * 2, lambda a, b: tf.image.ssim(a, b, 1.0)),
        "variation": ([image], tf.image.total_variation),
        "suppression": ([spec(FLOAT, 6, 4), spec(FLOAT, 6)], lambda b, s: tf.image.non_max_suppression(b, s, 3, 0.4)),
        "suppression-soft": ([spec(FLOAT, 6, 4), spec(FLOAT, 6)], lambda b, s: tf.image.non_max_suppression_with_scores(b, s, 4, soft_nms_sigma=0.5)),
        "suppression-padded": ([spec(FLOAT, 6, 4), spec(FLOAT, 6)], lambda b, s: tf.image.non_max_suppression_padded(b, s, 4, pad_to_max_output_size=True)),
        "random": ([row], lambda x: x + tf.random.uniform((8,), seed=3)),
        "random-normal": ([row], lambda x: x + tf.random.normal((8,), seed=3)),
        "random-stateless": ([spec(INT, 2)], lambda s: [f((5,), s) for f in (tf.random.stateless_uniform, tf.random.stateless_normal)]),
        "multinomial": ([spec(FLOAT, 2, 5)], lambda x: tf.random.categorical(x, 6, seed=4)),
        "segments": ([spec(FLOAT, 6, 2), spec(INT, 6)], segments),
        "segment-sum": ([spec(FLOAT, 6, 2)], lambda x: tf.math.segment_sum(x, [0, 0, 1, 3, 3, 3])),
        "gather": ([square, spec(INT, 3)], lambda x, i: (tf.gather(x, i % 4), tf.gather(x, i % 4, axis=1), tf.gather_nd(x, tf.stack([i % 4, i % 3], 1)))),
        "gather-batch": ([spec(FLOAT, 2, 5, 3), spec(INT, 2, 4)], lambda x, i: tf.gather(x, i % 5, batch_dims=1)),
        "scatter": ([spec(INT, 4, 1), spec(FLOAT, 4, 2)], lambda i, u: tf.scatter_nd(i % 6, u, (6, 2))),
        "scatter-update": ([spec(FLOAT, 6, 2), spec(INT, 3, 1), spec(FLOAT, 3, 2)], lambda x, i, u: (tf.tensor_scatter_nd_update(x, i % 6, u), tf.tensor_scatter_nd_add(x, i % 6, u))),
        "strings": ([spec(TEXT, None)], tf.identity),
        "strings-reshape": ([spec(TEXT, 2, 3)], lambda s: (tf.reshape(s, (3, 2)), s[1:], tf.expand_dims(s, 0))),
        "strings-equal": ([spec(TEXT, 3), spec(TEXT, 3)], lambda a, b: (a == b, a != b)),
        "strings-gather": ([spec(TEXT, 3), spec(INT, 2)], lambda s, i: (tf.gather(s, i % 3), tf.expand_dims(s, 0))),
        "logic": ([bools, bools], lambda a, b: (a & b, a | b, ~a, m.logical_xor(a, b), tf.reduce_all(a, 1), tf.reduce_any(b), tf.cast(a, INT), a == b, tf.where(a, b, ~b))),
        "ints": ([ints, ints], lambda a, b: (a + b, a - b, a * b, a // 7, a % 5, -a, abs(a), m.maximum(a, b), a > b, tf.bitwise.bitwise_xor(a, b), tf.bitwise.right_shift(a, 2), m.sign(a), m.squared_difference(a, b), a ** 2, tf.truncatemod(a, 5))),
        "longs": ([longs, longs], lambda a, b: (a + b, a - b, a * b, a // 7, a % 5, -a, abs(a), m.minimum(a, b), a <= b, tf.reduce_sum(a, 0), tf.reduce_max(b), tf.reduce_prod(a % 3, 1), tf.cast(a, FLOAT), m.sign(a), m.argmax(a, 1))),
        "bytes": ([spec(tf.uint8, 3, 4), spec(tf.int8, 3, 4), spec(tf.int16, 3, 4)], lambda a, b, c: (tf.cast(a, FLOAT), tf.cast(b, INT), tf.cast(c, LONG), tf.transpose(b), tf.concat([c, c], 0), tf.bitcast(a, tf.int8))),
        "doubles": ([spec(tf.float64, 3)], lambda x: (tf.cast(x, FLOAT), tf.reshape(x, (3, 1)))),
        "halves": ([spec(tf.float16, 4), spec(tf.float16, 4)], lambda a, b: (tf.cast(a, FLOAT) + tf.cast(b, FLOAT), tf.reshape(a, (2, 2)))),
        "brains": ([spec(FLOAT, 4)], lambda x: tf.cast(tf.cast(x, tf.bfloat16), FLOAT)),
        "unsigned": ([spec(tf.uint32, 4)], lambda x: (tf.cast(x, LONG), tf.reshape(x, (2, 2)), tf.bitwise.right_shift(x, 3), tf.cast(tf.cast(x, LONG) * 3, tf.uint32))),
        "casts": ([row], lambda x: [tf.cast(x * 9, t) for t in (tf.int8, tf.int16, INT, LONG, BOOL, tf.float16, tf.complex64)]),
        "casts-back": ([spec(tf.uint16, 4)], lambda x: (tf.cast(x, INT), tf.cast(x, FLOAT))),
        "cumulative": ([square], lambda x: (tf.cumsum(x), tf.cumsum(x, 1, exclusive=True, reverse=True))),
        "cumulative-ints": ([ints], lambda x: (tf.cumsum(x, 1), tf.cumsum(x, 0, reverse=True))),
        "sort": ([square], lambda x: (tf.sort(x), tf.argsort(x), tf.sort(x, direction="DESCENDING"), *m.top_k(x, 2))),
        "sort-ints": ([ints], lambda x: (*m.top_k(x, 2), m.argmin(x, 0, INT), m.argmax(x, 1))),
        "top-k": ([row, spec(INT)], lambda x, k: m.top_k(x, tf.clip_by_value(k, 0, 8))),
        "in-top-k": ([spec(INT, 2), spec(FLOAT, 2, 5)], lambda t, p: m.in_top_k(t % 5, p, 2)),
        "unique": ([spec(INT, 8)], lambda x: tf.unique(x % 4)),
        "unique-longs": ([spec(LONG, 8)], lambda x: tf.unique(x % 4, LONG)),
        "unique-floats": ([row], lambda x: tf.unique(tf.round(x))),
        "where": ([square], lambda x: (tf.where(x > 0.5), tf.where(x > 0.0, x, -x), tf.boolean_mask(x, tf.reduce_sum(x, 1) > 0))),
        "where-bool": ([spec(BOOL, None, 3)], tf.where),
        "bucketize": ([row], lambda x: tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 0.0, 0.5])),
        "one-hot": ([spec(INT, 5)], lambda i: (tf.one_hot(i % 6, 6), tf.one_hot(i % 6, 6, True, False, dtype=BOOL), tf.one_hot(i % 6, 4, 5, -5, axis=0, dtype=INT))),
        "bincount": ([spec(INT, 6)], lambda i: m.bincount(i % 5, minlength=5, maxlength=5)),
        "matrices": ([spec(FLOAT, 2, 3, 4), spec(FLOAT, 2, 4, 5)], lambda a, b: (a @ b, tf.matmul(b, a, transpose_a=True, transpose_b=True), tf.einsum("abc,acd->db", a, b), tf.tensordot(a, b, [[2], [1]]))),
        "matrices-wide": ([spec(FLOAT, 3, 1, 2, 4), spec(FLOAT, 5, 4, 2)], tf.matmul),
        "matrices-any": ([spec(FLOAT, None, 4), spec(FLOAT, 4, None)], tf.matmul),
        "diagonals": ([square], lambda x: (tf.linalg.diag_part(x), tf.linalg.diag(x), tf.linalg.set_diag(x, x[0]), tf.linalg.band_part(x, 1, 0), tf.linalg.trace(x))),
        "eye": ([spec(INT)], lambda n: tf.eye(tf.clip_by_value(n, 1, 4))),
        "solve": ([square, square], tf.linalg.solve),
        "cholesky": ([square], lambda x: tf.linalg.cholesky(tf.matmul(x, x, transpose_b=True) + tf.eye(4))),
        "cross": ([spec(FLOAT, 2, 3)] * 2, tf.linalg.cross),
        "norms": ([square], lambda x: (tf.norm(x), tf.norm(x, 1, 0), tf.norm(x, np.inf, 1))),
        "triangular": ([square], lambda x: (tf.linalg.band_part(x, -1, 0), tf.linalg.band_part(x, 0, -1))),
        "reductions": ([spec(FLOAT, 2, 3, 4)], lambda x: [f(x, a, k) for f in (tf.reduce_mean, tf.reduce_max, tf.reduce_min, tf.reduce_prod, tf.reduce_sum) for a, k in ((1, False), ([0, 2], True), (None, False))]),
        "statistics": ([square], lambda x: (m.reduce_std(x), m.reduce_variance(x, 1), m.reduce_logsumexp(x, 1), m.reduce_euclidean_norm(x), m.count_nonzero(x), m.zero_fraction(x))),
        "unary": ([row], lambda x: [f(x) for f in (m.abs, m.ceil, m.floor, m.round, m.rint, m.exp, m.expm1, m.sin, m.cos, m.tan, m.atan, m.sinh, m.cosh, m.asinh, m.erf, m.square, m.sign, m.negative, m.sigmoid, m.log_sigmoid, m.softplus, m.reciprocal, m.reciprocal_no_nan, m.is_nan, m.is_inf, m.is_finite)]),
        "roots": ([row], lambda x: [f(abs(x) + 0.1) for f in (m.sqrt, m.rsqrt, m.log, m.log1p, m.lgamma, m.digamma)]),
        "binary": ([row, row], lambda a, b: (a / b, m.floordiv(a, b), m.floormod(a, b), m.divide_no_nan(a, b), m.atan2(a, b), m.pow(abs(a), b), m.xlogy(abs(a), abs(b)))),
        "broadcasts": ([spec(FLOAT, 2, 1, 3), spec(FLOAT, 4, 1)], lambda a, b: (a + b, a * b, a - b, m.maximum(a, b), a < b, m.squared_difference(a, b), a / b, m.pow(abs(a), b))),
        "broadcasts-wide": ([spec(FLOAT, 2, 1, 3, 1, 2), spec(FLOAT, 4, 1, 5, 1)], lambda a, b: (a + b, a * b, a - b, a / b)),
        "clips": ([row], lambda x: (tf.clip_by_value(x, -0.5, 0.5), tf.clip_by_norm(x, 1.0), tf.nn.relu6(x), tf.nn.crelu(x), m.softsign(x), tf.nn.relu(x) - 1)),
        "polynomial": ([row], lambda x: m.polyval([tf.constant(1.0), tf.constant(-2.0), tf.constant(0.5)], x)),
        "bessel": ([row], lambda x: m.bessel_i0(x)),
        "add-n": ([row, row, row], lambda *x: tf.add_n(x)),
        "losses": ([spec(FLOAT, 3, 4), spec(INT, 3)], lambda x, y: (tf.nn.sparse_softmax_cross_entropy_with_logits(y % 4, x), tf.nn.l2_loss(x))),
        "shapes": ([spec(FLOAT, None, 3)], lambda x: (tf.shape(x), tf.size(x), tf.rank(x), tf.zeros_like(x), tf.ones_like(x), tf.fill(tf.shape(x), 2.5), tf.reshape(x, [-1]), tf.expand_dims(x, 1), tf.transpose(x), tf.tile(x, [2, 1]))),
        "slices": ([spec(FLOAT, 4, 5, 6)], lambda x: (x[1:3, ::-2, 2], x[..., tf.newaxis, 1:], tf.slice(x, [1, 0, 2], [2, -1, 3]), x[-1], tf.strided_slice(x, [0, 0, 0], [4, 5, 6], [2, 2, 2]))),
        "slices-any": ([spec(FLOAT, None, None), spec(INT)], lambda x, i: (x[i % 2:], x[:, :2], tf.slice(x, [0, i % 2], [1, 1]))),
        "splits": ([spec(FLOAT, 6, 4)], lambda x: (*tf.split(x, 3), *tf.split(x, [1, 3], 1), *tf.unstack(x, axis=1))),
        "joins": ([square, square], lambda a, b: (tf.concat([a, b, a], 1), tf.stack([a, b], 2))),
        "pads": ([square], lambda x: (tf.pad(x, [[1, 0], [2, 1]]), tf.pad(x, [[1, 2], [0, 1]], "REFLECT"), tf.pad(x, [[1, 2], [0, 1]], "SYMMETRIC"), tf.pad(x, [[1, 1], [0, 0]], constant_values=5.0))),
        "pads-any": ([square, spec(INT, 2, 2)], lambda x, p: tf.pad(x, p % 3)),
        "rolls": ([square], lambda x: (tf.roll(x, 1, 0), tf.roll(x, [1, -2], [0, 1]))),
        "reverses": ([square, spec(INT, 4)], lambda x, n: (tf.reverse(x, [1]), tf.reverse(x, [0, 1]), tf.reverse_sequence(x, n % 4 + 1, 1, 0))),
        "ranges": ([spec(INT)], lambda n: (tf.range(n), tf.range(0, n, 2), tf.cast(tf.range(n), FLOAT) * 0.5)),
        "linspace": ([spec(FLOAT)], lambda a: tf.linspace(a, a + 2, 5)),
        "mesh": ([spec(FLOAT, 3), spec(FLOAT, 2)], lambda a, b: tf.meshgrid(a, b)),
        "transposes": ([spec(FLOAT, 2, 3, 4, 5)], lambda x: (tf.transpose(x, [3, 1, 0, 2]), tf.transpose(x))),
        "transposes-wide": ([spec(FLOAT, 2, 1, 3, 2, 2, 2)], lambda x: tf.transpose(x, [5, 3, 1, 0, 2, 4])),
        "batches": ([spec(FLOAT, 4, 3, 3, 2)], lambda x: (tf.batch_to_space(x, [2, 2], [[0, 1], [1, 0]]), tf.space_to_batch(x, [2, 2], [[1, 0], [0, 1]]))),
        "broadcast-to": ([spec(FLOAT, 1, 3)], lambda x: tf.broadcast_to(x, (2, 4, 3))),
        "sequence-mask": ([spec(INT, 3)], lambda n: tf.sequence_mask(n % 5, 5)),
        "ensure": ([spec(FLOAT, None, 3)], lambda x: tf.ensure_shape(x, (2, 3)) if False else tf.identity(x) + 0),
        "repeat": ([square], lambda x: tf.repeat(x, 2, 0)),
        "empty": ([spec(FLOAT, 0, 3)], lambda x: (x + 1, tf.reduce_sum(x, 0), tf.concat([x, x], 0), tf.reduce_max(x, 1), tf.matmul(x, tf.ones((3, 2))))),
        "scalar": ([spec(FLOAT)], lambda x: (x * 2, tf.reshape(x, (1, 1)), tf.stack([x, x]), tf.exp(x))),
        "constant": ([row], lambda x: (tf.constant([1.0, 2.0]), x, tf.constant("text"), tf.constant([True]), tf.constant(3 + 4j, tf.complex64))),
        "same": ([row], lambda x: (x, x, x + 0)),
        "gradient": ([row], lambda x: tf.gradients(tf.reduce_sum(tf.nn.softmax(m.tanh(x)) ** 2), x)[0]),
        "convolutions-gradient": ([image], lambda x: tf.gradients(tf.reduce_sum(tf.nn.conv2d(x, np.ones((2, 2, 3, 4), np.float32) * 0.1, 1, "VALID") ** 2), x)[0]),
        "pool-indices": ([image], lambda x: tf.nn.max_pool_with_argmax(x, 2, 2, "SAME")),
        "dilation": ([image], lambda x: tf.nn.dilation2d(x, np.ones((2, 2, 3), np.float32), [1, 1, 1, 1], "SAME", "NHWC", [1, 1, 1, 1])),
        "dynamic-kernel": ([image, spec(FLOAT, 2, 2, 3, 4)], lambda x, k: tf.nn.conv2d(x, k, 1, "SAME")),
        "dynamic-weights": ([spec(FLOAT, 2, 5), spec(FLOAT, 5, 3)], lambda x, w: tf.nn.relu(x @ w)),
        "embedding-sparse": ([spec(INT, 4)], lambda i: tf.nn.embedding_lookup(np.arange(12, dtype=np.float32).reshape(6, 2), i % 6)),
        "quantize": ([row], lambda x: tf.quantization.fake_quant_with_min_max_args(x, -1, 1)),
    }


class Counter(tf.Module):
    """State that signatures share."""

    def __init__(self):
        self.total = tf.Variable(tf.zeros((2, 3)))
        self.calls = tf.Variable(0)

    @tf.function(input_signature=[spec(FLOAT, 2, 3)])
    def add(self, x):
        self.calls.assign_add(1)
        self.total.assign_add(x)
        return {"total": self.total.read_value(), "calls": self.calls.read_value()}

    @tf.function(input_signature=[])
    def reset(self):
        self.total.assign(tf.zeros((2, 3)))
        return {"total": self.total.read_value()}

    def signatures(self):
        return self, {"add": self.add, "reset": self.reset}


class Trainer(tf.Module):
    """TensorFlow's example of training on a device."""

    def __init__(self, optimizer):
        self.model = keras.Sequential([L.Input((6, 6, 1)), L.Conv2D(4, 3, activation="relu"), L.Flatten(), L.Dense(8, activation="relu"), L.Dense(3)])
        self.model.compile(optimizer, keras.losses.CategoricalCrossentropy(from_logits=True))

    @tf.function(input_signature=[spec(FLOAT, 2, 6, 6, 1), spec(FLOAT, 2, 3)])
    def train(self, x, y):
        with tf.GradientTape() as tape:
            loss = self.model.loss(y, self.model(x))
        variables = self.model.trainable_variables
        self.model.optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return {"loss": loss}

    @tf.function(input_signature=[spec(FLOAT, 2, 6, 6, 1)])
    def infer(self, x):
        logits = self.model(x)
        return {"output": tf.nn.softmax(logits), "logits": logits}

    @tf.function(input_signature=[spec(TEXT)])
    def save(self, path):
        names, values = [v.name for v in self.model.weights], [v.read_value() for v in self.model.weights]
        tf.raw_ops.Save(filename=path, tensor_names=names, data=values)
        return {"path": path}

    def signatures(self, *names):
        self.train(np.zeros((2, 6, 6, 1), np.float32), np.ones((2, 3), np.float32))
        return self, {n: getattr(self, n) for n in names}


class Table(tf.Module):
    def __init__(self, keys, values, default):
        initial = tf.lookup.KeyValueTensorInitializer(tf.constant(keys), tf.constant(values))
        self.table = tf.lookup.StaticHashTable(initial, default)
        dtype = self.table.key_dtype
        self.lookup = tf.function(lambda keys: {"values": self.table.lookup(keys), "size": self.table.size()}, input_signature=[spec(dtype, 4)])

    def signatures(self):
        return self, {"lookup": self.lookup}


class Pair(tf.Module):
    """Two signatures over one weight."""

    def __init__(self):
        self.w = tf.Variable(np.random.randn(4, 3), dtype=FLOAT)

    @tf.function(input_signature=[spec(FLOAT, None, 4)])
    def encode(self, x):
        return {"code": tf.nn.relu(x @ self.w), "sum": tf.reduce_sum(x)}

    @tf.function(input_signature=[spec(FLOAT, None, 3)])
    def decode(self, code):
        return {"x": tf.matmul(code, self.w, transpose_b=True)}


@kind
def functions():
    for name, (specs, f) in functions_by_name().items():
        yield name, lambda: tf.function(f, input_signature=specs, autograph=f.__name__ != "<lambda>"), ["float", "dynamic", "int8", "select", "custom"]
    resources = ["resources", "select"]
    yield "counter", lambda: Counter().signatures(), resources
    for o in ("sgd", "adam", "rmsprop"):
        yield f"trainer-{o}", lambda: Trainer(o).signatures("train", "infer"), resources
    yield "trainer-save", lambda: Trainer("sgd").signatures("train", "infer", "save"), resources
    yield "table-text", lambda: Table(["a", "bc", "d"], [4, 5, 6], -1).signatures(), ["float"]
    yield "table-longs", lambda: Table(np.int64([1, 3, 5]), ["x", "y", "z"], "?").signatures(), ["float"]
    yield "table-keys", lambda: Table(["a", "b"], np.int64([4, 5]), -1).signatures(), ["float"]
    yield "pair", lambda: (m := Pair(), dict(encode=m.encode, decode=m.decode)), ["float", "dynamic", "offsets"]
