"""The generators, one module a family of operators."""

from . import activation, arith, compare, control, conv, dense, edges, embedding, matmul, move, pool, quantop, random_draws, recurrent, reduce, resource, segment, selection, shape, spectral, stablehlo, transpose, unary, weights  # noqa: F401
