"""The generators, one module a family of operators."""

from . import activation, arith, compare, conv, dense, move, pool, quantop, random_draws, recurrent, reduce, segment, selection, shape, spectral, stablehlo, unary  # noqa: F401
