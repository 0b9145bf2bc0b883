"""Prints the fitted coefficients of tables.go. Run: python gen_tables.py"""
from mpmath import mp, mpf, binomial

mp.prec = 300

def chebyshev(g, n):
    """Chebyshev coefficients of the interpolant of g at n nodes on [-1, 1]."""
    nodes = [mp.pi * (k + mpf(1) / 2) / n for k in range(n)]
    values = [g(mp.cos(a)) for a in nodes]
    c = [2 * sum(v * mp.cos(j * a) for v, a in zip(values, nodes)) / n for j in range(n)]
    c[0] /= 2
    return c

def monomial(c):
    """Coefficients in powers of t of sum c[k]·T_k(t)."""
    out, a, b = [mpf(0)] * len(c), [mpf(1)], [mpf(0), mpf(1)]
    for k, ck in enumerate(c):
        for i, v in enumerate(a):
            out[i] += ck * v
        a, b = b, [(2 * b[i - 1] if i else 0) - (a[i] if i < len(a) else 0) for i in range(len(b) + 1)]
    return out

def shift(c):
    """Substitutes t = 2u-1."""
    out = [mpf(0)] * len(c)
    for k, ck in enumerate(c):
        for i in range(k + 1):
            out[i] += ck * binomial(k, i) * mpf(2) ** i * (-1) ** (k - i)
    return out

def atan_over_x(t):
    x = mp.sqrt((1 + t) / 2)
    return mp.atan(x) / x

print("atanCoef", *["\t%r," % float(v) for v in shift(monomial(chebyshev(atan_over_x, 12)))], sep="\n")

mp.prec = 1500
bits = int(mp.floor(2 / mp.pi * mpf(2) ** (64 * 19)))
print("twoOverPi", *["\t0x%016x," % (bits >> 64 * (18 - i) & 2 ** 64 - 1) for i in range(19)], sep="\n")
