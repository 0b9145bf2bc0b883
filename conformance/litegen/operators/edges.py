"""Operators that move elements, where LiteRT takes more than converters write."""

import numpy as np

from ..case import floats, label, operator
from ..model import Quant, options
from .move import HOW, PADDED, Node, how, oracle_of, quant, sample

RARE = ("int4", "complex128")
NINE = (2, 1, 1, 2, 1, 1, 1, 1, 3)


@operator("RESHAPE")
def reshape_edges(rng):
    def build(name, shape, target, kind="int32", new=None, v=False):
        n = Node(v).input(floats(rng, shape))
        if target is not None:
            n.index(np.array(target, kind), kind)
        return n.case(name, "RESHAPE", "float32", None if new is None else options("Reshape", newShape=new))

    for v in HOW:
        for i, (shape, target) in enumerate((((0, 3), (0, -1)), ((0, 4), (-1, 0)), ((0, 4), (0, -1, 3)), ((0, 4), (-1, 8)), ((2, 0, 3), (-1, 0, 3)))):
            yield build(label(f"zero-{how(v)}", i), shape, target, v=v)
        yield build(f"options-not-int64-{how(v)}", (2, 3), (6,), "int64", [3, 2], v)
        yield build(f"options-not-matrix-{how(v)}", (2, 3), [[6]], new=[3, 2], v=v)
    yield build("operand-not-options", (2, 3), (6,), new=[3, 2])
    yield build("nothing-is-a-scalar", (1, 1), None)


@operator("SQUEEZE")
def squeeze_edges(rng):
    for dtype in RARE:
        yield Node().input(sample(rng, dtype, (1, 3, 1))).case(f"type/{dtype}", "SQUEEZE", dtype)


@operator("EXPAND_DIMS")
def expand_dims_edges(rng):
    for dtype in RARE:
        yield Node().input(sample(rng, dtype, (3,))).index(0).case(f"type/{dtype}", "EXPAND_DIMS", dtype)
    yield Node().input(sample(rng, "int8", NINE)).index(-1).case("rank9", "EXPAND_DIMS", "int8")


@operator("SHAPE")
def shape_edges(rng):
    for dtype in RARE:
        yield Node().input(sample(rng, dtype, (3, 1))).case(f"type/{dtype}", "SHAPE", "int32", options("Shape", outType=2))


@operator("RANK")
def rank_edges(rng):
    for dtype in RARE:
        yield Node().input(sample(rng, dtype, (3, 1))).case(f"type/{dtype}", "RANK", "int32")


@operator("BROADCAST_TO")
def broadcast_to_edges(rng):
    yield Node().input(sample(rng, "complex128", (2, 1))).index((2, 3)).case("type/complex128", "BROADCAST_TO", "complex128", version=2)


@operator("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice_edges(rng):
    n = Node().input(sample(rng, "complex128", (3, 2))).input(sample(rng, "complex128", (1, 2))).index((5, -1))
    yield n.case("type/complex128", "DYNAMIC_UPDATE_SLICE", "complex128")
    n = Node().input(sample(rng, "int8", (3, 2)))
    n.operands.append(n.operands[0])
    yield n.index((1, 1)).case("itself", "DYNAMIC_UPDATE_SLICE", "int8")


@operator("PACK")
def pack_edges(rng):
    n = Node().input(sample(rng, "int8", NINE)).input(sample(rng, "int8", NINE))
    yield n.case("rank9", "PACK", "int8", options("Pack", axis=3, valuesCount=2))


@operator("UNPACK")
def unpack_edges(rng):
    yield Node().input(sample(rng, "int8", NINE)).case("rank9", "UNPACK", ["int8"] * 2, options("Unpack", axis=3, num=2))


AXES = [([1], "int64"), ([-1], "int64"), ([1, 77], "int32"), ([[0]], "int32")]


@operator("SPLIT")
def split_edges(rng):
    for v in HOW:
        for i, (axis, kind) in enumerate(AXES):
            n = Node(v).index(axis, kind).input(sample(rng, "int16", (4, 2)))
            yield n.case(label(f"axis-{how(v)}", i), "SPLIT", ["int16"] * 2, options("Split", numSplits=2))


@operator("SPLIT_V")
def split_v_edges(rng):
    for v in HOW:
        for i, (axis, kind) in enumerate(AXES):
            n = Node(v).input(sample(rng, "int16", (2, 2))).index([0, 2]).index(axis, kind)
            yield n.case(label(f"axis-{how(v)}", i), "SPLIT_V", ["int16"] * 2, options("SplitV", numSplits=2))


@operator("STRIDED_SLICE")
def strided_slice_edges(rng):
    def build(name, shape, begin, end, strides, v, **masks):
        n = Node(v).input(sample(rng, "int8", shape)).index(begin).index(end).index(strides)
        return n.case(f"{name}-{how(v)}", "STRIDED_SLICE", "int8", options("StridedSlice", **masks))

    for v in HOW:
        yield build("empty-outside", (2, 3), [5, 1], [0, 1], [1, 1], v, shrinkAxisMask=1)
        yield build("empty-backwards", (2, 3), [1, 1], [0, 1], [-1, 1], v, shrinkAxisMask=1)
        yield build("more-strides", (2, 3), [1], [2], [1, -1], v)
        yield build("more-entries", (3,), [1, 9], [3, 9], [1, 1], v)
        yield build("rank9", (2, 1, 1, 2, 1, 1, 1, 3), [0, 0, 2**31 - 1], [0, 0, -(2**31)], [1, 1, -1], v, newAxisMask=1, ellipsisMask=2)


PARAMETERS = [Quant(0.1, 3), Quant(0.2, -5), None]


@operator("PAD")
def pad_edges(rng):
    yield from padded(rng, "PAD", 3)
    for dtype in PADDED:
        n = Node().input(sample(rng, dtype, (2,))).index([[1, 1]]).input(sample(rng, dtype, ()))
        yield n.case(f"value/{dtype}", "PAD", dtype, oracle=oracle_of(dtype))
    for i, (a, b) in enumerate(((0, 1), (0, 2), (2, 1))):
        for dtype in ("int8", "int16"):
            q = [PARAMETERS[k] if dtype == "int8" or k == 2 else Quant(0.1 + k) for k in (a, b)]
            yield Node().input(sample(rng, dtype, (3,)), q[0]).index([[1, 1]]).case(label(f"parameters/{dtype}", i), "PAD", dtype, None, q[1])


@operator("PADV2")
def pad_v2_edges(rng):
    yield from padded(rng, "PADV2", 2)
    for i, (a, b) in enumerate(((0, 1), (0, 2), (2, 1))):
        n = Node().input(sample(rng, "int8", (3,)), PARAMETERS[a]).index([[1, 1]]).input(sample(rng, "int8", ()), PARAMETERS[b])
        yield n.case(label("parameters", i), "PADV2", "int8", None, PARAMETERS[b])
    n = Node().input(sample(rng, "int8", (3,)), PARAMETERS[2]).index([[1, 1]]).input(sample(rng, "int8", ()), PARAMETERS[0])
    yield n.case("parameters/plain", "PADV2", "int8", None, PARAMETERS[1])
    q = Quant([0.1, 0.2, 0.3], [7, 7, 7])
    yield Node().input(sample(rng, "int8", (3,)), q).index([[1, 1]]).input(sample(rng, "int8", ()), q).case("parameters/axis", "PADV2", "int8", None, q)


def padded(rng, name, operands):
    """Either operator with either number of operands, and boolean paddings."""
    for dtype in ("float32", "int8"):
        for v in HOW:
            n = Node(v).input(sample(rng, dtype, (2, 3)), quant(dtype)).index([[1, 0], [0, 1]], "bool")
            if operands == 3:
                n.input(sample(rng, dtype, (1, 1)), quant(dtype))
            yield n.case(f"bool/{dtype}-{how(v)}", name, dtype, None, quant(dtype))


@operator("CONCATENATION")
def concatenation_edges(rng):
    n = Node().input(sample(rng, "uint8", (2, 3))).input(sample(rng, "uint8", (2, 2)), quant("uint8"))
    yield n.case("rescaled/plain", "CONCATENATION", "uint8", options("Concatenation", axis=1), quant("uint8"))
    n, q = Node(), Quant([0.1, 0.2, 0.3], [0, 0, 0])
    for scales in ([0.1, 0.2, 0.3], [0.2, 0.1, 0.3]):
        n.input(sample(rng, "int8", (3, 2)), Quant(scales, [0, 0, 0]))
    yield n.case("axis", "CONCATENATION", "int8", options("Concatenation", axis=1), q)


@operator("SPACE_TO_BATCH_ND")
def space_to_batch_nd_edges(rng):
    for i, (shape, block, pads) in enumerate((((1, 5, 4, 1), (2, 3), ((-1, 0), (1, -2))), ((2, 3, 2), (1,), ((-2, 4),)), ((1, 4, 1), (2,), ((-6, 4),)))):
        for v in HOW:
            yield Node(v).input(sample(rng, "uint8", shape), quant("uint8")).index(block).index(pads).case(
                label(f"cropped-{how(v)}", i), "SPACE_TO_BATCH_ND", "uint8", None, quant("uint8"))


@operator("REVERSE_SEQUENCE")
def reverse_sequence_edges(rng):
    for v in HOW:
        yield Node(v).input(sample(rng, "int16", (2, 4))).index([3, -7]).case(
            f"negative-{how(v)}", "REVERSE_SEQUENCE", "int16", options("ReverseSequence", seqDim=1, batchDim=0))


@operator("RESIZE_BILINEAR")
def resize_bilinear_edges(rng):
    for dtype in ("float32", "int8", "uint8", "int16"):  # a size that is no constant gets by LiteRT's check
        x = np.float32(rng.standard_normal((1, 3, 4, 2))) if dtype == "float32" else sample(rng, dtype, (1, 3, 4, 2))
        yield Node(True).input(x, quant(dtype)).index((7, 9)).case(
            f"both/{dtype}", "RESIZE_BILINEAR", dtype, options("ResizeBilinear", alignCorners=True, halfPixelCenters=True), quant(dtype))


@operator("RESIZE_NEAREST_NEIGHBOR")
def resize_nearest_edges(rng):
    for i, size in enumerate(((3, 5), (0, 2))):
        yield Node(bool(i)).input(sample(rng, "bfloat16", (1, 2, 3, 2))).index(size).case(
            label("bfloat16", i), "RESIZE_NEAREST_NEIGHBOR", "bfloat16", options("ResizeNearestNeighbor"))
