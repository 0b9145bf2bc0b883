"""Operators that join slices by segment numbers."""

import numpy as np

from ..case import label, operator
from ..model import options
from .move import HOW, Node, how
from .shape import sample


def data(rng, dtype, shape):
    if dtype == "int32":  # sums and products that overflow among them
        x = sample(rng, dtype, shape)
        return np.where(rng.random(shape) < 0.5, x, np.array(rng.integers(-4, 5, shape), dtype))
    return np.where(rng.random(shape) < 0.3, sample(rng, dtype, shape), np.float32(np.array(rng.normal(0, 3, shape))))


@operator("SEGMENT_SUM")
def segment_sum(rng):
    for dtype in ("float32", "int32"):
        for i, shape in enumerate(((1,), (6,), (5, 3), (4, 2, 3), (3, 0), (7, 1, 2, 2), (0, 2))):
            for v in HOW:
                ids = np.cumsum(rng.random(shape[0]) < 0.5) if shape[0] else np.zeros(0)
                ids = np.int32(ids - ids[0] if len(ids) else ids)
                n = Node(v).input(data(rng, dtype, shape)).index(ids)
                yield n.case(label(f"{dtype}-{how(v)}", i), "SEGMENT_SUM", dtype, options("SegmentSum"), oracle="builtin")


def unsorted(name, kind):
    @operator(name)
    def generate(rng):
        for dtype in ("float32", "int32"):
            for i, (shape, rank) in enumerate((((1,), 1), ((9,), 1), ((6, 3), 1), ((4, 3), 2), ((2, 3, 4), 2), ((2, 3, 2, 2), 3), ((5, 0), 1), ((0, 2), 1), ((3, 2), 0))):
                for v in HOW:
                    segments = int(rng.integers(1, 6))
                    ids = np.array(rng.integers(-2, segments, shape[:rank]), np.int32)
                    n = Node(v).input(data(rng, dtype, shape)).index(ids).index(np.array([segments], np.int32) if i % 2 else np.array(segments, np.int32))
                    yield n.case(label(f"{dtype}-{how(v)}", i), name, dtype, options(kind))
            n = Node().input(data(rng, dtype, (3, 2))).index([-1, -1, -1]).index(np.int32(0).reshape(()))
            yield n.case(f"{dtype}-none", name, dtype, options(kind))

    return generate


for reduction in ("Prod", "Max", "Min", "Sum"):
    unsorted(f"UNSORTED_SEGMENT_{reduction.upper()}", f"UnsortedSegment{reduction}")
