"""Fourier and Hadamard transforms, spectrograms, and NumericVerify."""

import numpy as np

from ..case import Case, floats, ints, label, operator, pairs, scale_of, zero_of
from ..custom import custom
from ..model import Model, Quant, options
from .move import HOW, Node, how


@operator("RFFT2D")
def rfft2d(rng):
    sizes = (((4, 4), (4, 4)), ((2, 3), (4, 8)), ((5, 9), (4, 8)), ((1, 16), (2, 16)), ((3, 8, 4), (8, 4)), ((2, 2, 2, 2), (2, 2)), ((16, 64), (16, 64)),
             ((7, 7), (32, 4)), ((0, 3, 3), (4, 4)), ((3, 0), (4, 4)), ((1, 8), (1, 8)), ((8, 2), (8, 2)), ((3, 300), (2, 256)), ((1, 1), (2, 4)))
    for i, (shape, n) in enumerate(sizes):
        for v in HOW:
            yield Node(v).input(floats(rng, shape, 3.0)).index(n).case(label(how(v), i), "RFFT2D", "complex64", options("Rfft2d"))
    for i in range(4):  # what cancels exactly, and what is far apart
        x = np.float32(np.array(rng.integers(-3, 4, (8, 8))))
        x[0, 0] = (0, 1e6, 1e-6, -0.0)[i]
        yield Node().input(x).index((8, 8)).case(label("whole", i), "RFFT2D", "complex64", options("Rfft2d"))
    for i, (shape, height) in enumerate((((2, 3, 5), 1), ((2, 3), 2), ((2, 9, 2), 4), ((3, 2), 8), ((2, 0), 4))):  # a width of 1 is no transform
        yield Node().input(floats(rng, shape)).index((height, 1)).case(label("column", i), "RFFT2D", "complex64", options("Rfft2d"))


def tone(rng, samples, channels):
    t = np.arange(samples)[:, None]
    f, a = rng.random((2, 3, channels)) * np.array([0.4, 1.0])[:, None, None]
    return np.float32((a * np.sin(2 * np.pi * f * t[:, None])).sum(1) + rng.normal(0, 0.05, (samples, channels)))


@operator("AudioSpectrogram")
def spectrogram(rng):
    for i, p in enumerate(pairs(samples=(0, 5, 16, 40, 133), channels=(1, 2), window=(2, 3, 8, 16, 20), stride=(1, 4, 16, 25), squared=HOW)):
        m = Model()
        custom(m, "AudioSpectrogram", [m.input("float32", (p["samples"], p["channels"]))], [m.output("float32", ())],
               window_size=p["window"], stride=p["stride"], magnitude_squared=p["squared"])
        yield Case(label("sweep", i, **p), m, [tone(rng, p["samples"], p["channels"])])
    m = Model()  # speech commands
    custom(m, "AudioSpectrogram", [m.input("float32", (1600, 1))], [m.output("float32", ())], window_size=480, stride=320, magnitude_squared=True)
    yield Case("speech", m, [tone(rng, 1600, 1)])


@operator("Mfcc")
def mfcc(rng):
    for i, p in enumerate(pairs(bins=(2, 9, 65, 257), rate=(8000, 16000, 44100), upper=(1000, 4000, 9000), lower=(0, 20, 300), channels=(1, 13, 40), count=(1, 5, 13), audio=(1, 2), variable=HOW)):
        m = Model()
        x = np.float32(rng.gamma(0.5, 4.0, (p["audio"], 3, p["bins"])))
        x[0, 1] = 0
        data, rate = [x], np.int32([p["rate"]])
        operands = [m.input("float32", x.shape)]
        if p["variable"]:
            operands.append(m.input("int32", (1,)))
            data.append(rate)
        else:
            operands.append(m.const(rate))
        custom(m, "Mfcc", operands, [m.output("float32", ())], upper_frequency_limit=p["upper"], lower_frequency_limit=p["lower"],
               filterbank_channel_count=p["channels"], dct_coefficient_count=min(p["count"], p["channels"]))
        yield Case(label("sweep", i, **p), m, data)


@operator("aeq.hadamard_rotation")
def hadamard(rng):
    for i, (shape, n) in enumerate((((2, 4), 4), ((3, 8), 2), ((1, 2, 16), 16), ((2, 3, 8), 4), ((2, 64), 64), ((1, 256), 256), ((2, 128), 64), ((3, 6), 4), ((2, 4), 8), ((4, 5), 1), ((2, 3, 10), 8),
                                    ((2, 12), 6), ((2, 6), -3), ((2, 8, 3, 4), 4), ((3, 4, 1, 2, 2), 2))):
        m = Model()
        custom(m, "aeq.hadamard_rotation", [m.input("float32", shape)], [m.output("float32", shape)], hadamard_size=n, random_binary_vector=[1] * n)
        yield Case(label("size", i, n=n), m, [floats(rng, shape, 2.0)], "builtin")


@operator("NumericVerify")
def numeric_verify(rng):
    def build(name, x, q, reference, **fields):
        m = Model()
        custom(m, "NumericVerify", [m.input(x.dtype.name, x.shape, q), m.input("float32", reference.shape)], [m.output("float32", x.shape)], **fields)
        return Case(name, m, [x, reference])

    for dtype in ("int8", "uint8", "int16"):
        for i, shape in enumerate(((20,), (2, 3, 4), (), (0, 2))):
            x, q = ints(rng, dtype, shape), Quant(scale_of(rng), zero_of(rng, dtype))
            real = (x.astype(np.float64) - q.zero[0]) * q.scale[0]
            yield build(label(f"{dtype}-any", i), x, q, np.float32(real + rng.normal(0, 5, shape)), tolerance=5.0, log_if_failed=False)
            yield build(label(f"{dtype}-near", i), x, q, np.float32(real + rng.uniform(-0.4, 0.4, shape) * q.scale[0]), tolerance=0.5, log_if_failed=True)
            yield build(label(f"{dtype}-low", i), x, q, np.float32(real + 1), tolerance=0.01, log_if_failed=True)
        x = ints(rng, dtype, (3, 4))
        q = Quant([scale_of(rng) for _ in range(4)], [zero_of(rng, dtype) for _ in range(4)], 1)
        yield build(f"{dtype}-channel", x, q, floats(rng, (3, 4)), tolerance=5.0, log_if_failed=False)
    for i, shape in enumerate(((20,), (2, 3, 4))):
        yield build(label("float16", i), np.float16(floats(rng, shape, 4.0)), None, floats(rng, shape, 4.0), tolerance=5.0, log_if_failed=False)
    for i, shape in enumerate(((24,), (30,), (4, 6))):  # as many elements or more
        yield build(label("reference", i), ints(rng, "int8", (2, 3, 4)), Quant(0.1, 3), floats(rng, shape, 4.0), tolerance=5.0, log_if_failed=False)
