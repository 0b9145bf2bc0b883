"""The generators, one module a family of operators."""

from . import activation, arith, conv, dense, move, pool, quantop, recurrent, reduce, shape  # noqa: F401
