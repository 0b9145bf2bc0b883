"""What a generator yields, and helpers to choose options and data."""

import itertools
import zlib

import numpy as np


class Case:
    """A model and the inputs of one or more invocations, in order of its inputs.

    oracle is "ref" (BUILTIN_REF) or "builtin" (optimised kernels without
    delegates), for what the reference resolver does not have or gets wrong; "default"
    (with XNNPACK) for operators that only that has.
    """

    def __init__(self, name, model, inputs, oracle="ref"):
        self.name, self.model, self.oracle = name, model.pack(), oracle
        self.steps = inputs if inputs and isinstance(inputs[0], (list, tuple)) else [inputs]


GENERATORS = {}


def operator(name):
    """Registers a generator function: it takes a seeded rng and yields Cases."""

    def register(f):
        GENERATORS.setdefault(name, []).append(f)
        return f

    return register


SEED = 0  # other seeds draw other data and other pairs of options


def generate(name):
    for f in GENERATORS[name]:
        yield from f(np.random.default_rng(zlib.crc32(f"{name}.{f.__name__}".encode()) + SEED))


def pairs(**axes):
    """Dicts of options in which every pair of values of two axes occurs (greedy)."""
    names = list(axes)
    values = [list(axes[n]) for n in names]
    left = {
        (i, a, j, b)
        for i, j in itertools.combinations(range(len(names)), 2)
        for a in range(len(values[i]))
        for b in range(len(values[j]))
    }
    rng = np.random.default_rng(len(left) + SEED)
    while left:
        best = max((tuple(int(rng.integers(len(v))) for v in values) for _ in range(60)), key=lambda p: _new(p, left))
        if _new(best, left) == 0:  # force a pair that is still missing
            i, a, j, b = min(left)
            best = tuple(a if k == i else b if k == j else c for k, c in enumerate(best))
        left -= set(_covered(best))
        yield {n: v[c] for n, v, c in zip(names, values, best)}


def _covered(p):
    return ((i, p[i], j, p[j]) for i, j in itertools.combinations(range(len(p)), 2))


def _new(p, left):
    return sum(c in left for c in _covered(p))


def label(prefix, i, **kv):
    """A case's name: prefix/number then the short options as k=v."""
    text = ",".join(f"{k}={_short(v)}" for k, v in kv.items())
    return f"{prefix}/{i:03d}" + (f"-{text}" if text else "")


def _short(v):
    if isinstance(v, (tuple, list)):
        return "x".join(_short(x) for x in v)
    if isinstance(v, bool):
        return str(int(v))
    return str(v)


def ints(rng, dtype, shape):
    """Uniform over the type's whole range, the extremes included."""
    i = np.iinfo(dtype)
    x = np.array(rng.integers(i.min, i.max, size=shape, dtype=dtype, endpoint=True))
    if x.size >= 8:
        flat = x.reshape(-1)
        flat[int(rng.integers(x.size))], flat[int(rng.integers(x.size))] = i.min, i.max
    return x


def floats(rng, shape, scale=1.0, special=False):
    """Normal values; special adds zeros, large and small ones, infinities and NaN."""
    x = np.array(rng.standard_normal(shape) * scale, np.float32)
    if special and x.size:
        odd = np.float32([0, -0.0, 1e30, -1e30, 3e-39, np.inf, -np.inf, np.nan, 6, -1, 1, 0.5, -0.5, 3.4e38])
        flat = x.reshape(-1)
        at = rng.choice(flat.size, size=min(len(odd), max(1, flat.size // 3)), replace=False)
        flat[at] = odd[: len(at)]
    return x


def scale_of(rng, low=0.005, high=0.2):
    return np.float32(np.exp(rng.uniform(np.log(low), np.log(high))))


def zero_of(rng, dtype):
    """A zero point: inside the range for 8 bits, 0 for int16."""
    if dtype == "int16":
        return 0
    i = np.iinfo(dtype)
    return int(rng.integers(i.min, i.max, endpoint=True)) if rng.random() < 0.8 else int(rng.choice([i.min, i.max]))
