"""The generators, one module a family of operators."""

from . import activation, arith, compare, conv, dense, move, pool, quantop, recurrent, reduce, shape, stablehlo, unary  # noqa: F401
