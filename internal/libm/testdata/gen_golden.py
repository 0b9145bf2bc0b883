"""Writes golden.txt: correctly rounded float64 values from mpmath (400 bits), and
the float32 values of this machine's glibc (2.28 to 2.40, x86-64 with FMA), many
of them not correctly rounded.

One line a value: function, argument bits, [second argument bits,] result
bits, all in hex; functions ending in f are float32. Run: python gen_golden.py
"""
import ctypes, math, os, random, struct
from mpmath import mp, mpf

mp.prec = 400
random.seed(7)

def bits(v, single):
    return "%08x" % struct.unpack("<I", struct.pack("<f", v))[0] if single else "%016x" % struct.unpack("<Q", struct.pack("<d", v))[0]

def rounded(v, single):
    """Rounds an mpf to float32 or float64, to nearest even, subnormals too."""
    if v == 0:
        return 0.0
    p, emin, emax = (24, -149, 128) if single else (53, -1074, 1024)
    e = max(int(mp.floor(mp.log(abs(v), 2))) - p + 1, emin)
    if abs(v) >= mpf(2) ** (e + p):
        e += 1
    n = int(mp.nint(v * mpf(2) ** -e))  # nint rounds halves to even
    if abs(n) * mpf(2) ** e >= mpf(2) ** emax:
        return math.copysign(math.inf, n)
    return math.ldexp(n, e)

def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]

def spread(lo, hi, n):
    """n values of either sign whose exponents spread over [lo, hi]."""
    return [random.choice((-1, 1)) * random.uniform(1, 2) * 2.0 ** random.randint(lo, hi) for _ in range(n)]

def uniform(lo, hi, n):
    return [random.uniform(lo, hi) for _ in range(n)]

def positive(xs):
    return [abs(x) for x in xs]

FUNCTIONS = {  # name: (function, arguments for float32, arguments for float64)
    "exp": (mp.exp, uniform(-105, 89, 40) + spread(-30, 0, 20) + uniform(-2, 2, 20), uniform(-746, 710, 50) + uniform(-745.1, -708, 40) + spread(-60, 0, 20) + uniform(-2, 2, 30)),
    "expm1": (mp.expm1, uniform(-20, 89, 30) + spread(-40, 1, 40), []),
    "log": (mp.log, positive(spread(-149, 126, 40)) + [1 + d for d in spread(-22, -2, 30)], positive(spread(-1073, 1022, 40)) + [1 + d for d in spread(-50, -2, 50)]),
    "log1p": (mp.log1p, [], [abs(x) for x in spread(-80, 200, 40)] + uniform(-0.9999, 1, 60)),
    "tanh": (mp.tanh, spread(-30, 3, 60), []),
    "sin": (mp.sin, spread(-30, 2, 30) + spread(3, 126, 40), spread(-60, 2, 40) + spread(3, 1022, 60)),
    "cos": (mp.cos, spread(-30, 2, 30) + spread(3, 126, 40), spread(-60, 2, 40) + spread(3, 1022, 60)),
    "erfc": (mp.erfc, spread(-30, 1, 40) + uniform(0.4, 9, 40), []),
}

def power(x, y):
    return mpf(x) ** mpf(y)

PAIRS = {
    "pow": (power, [(abs(a), b) for a, b in zip(spread(-100, 100, 60), uniform(-1, 1, 60))] + [(random.uniform(0.5, 2), random.uniform(-90, 90)) for _ in range(40)] + [(-1.5, 3), (-3, -5), (2, 0.5)],
                   [(abs(a), b) for a, b in zip(spread(-900, 900, 60), uniform(-1, 1, 60))] + [(random.uniform(0.5, 2), random.uniform(-900, 900)) for _ in range(60)] + [(2.0 ** random.uniform(-1, 0), random.uniform(1074, 1500)) for _ in range(30)] + [(-1.5, 3.0), (-3.0, -5.0), (1 + 2.0 ** -50, 2.0 ** 55)]),
    "atan2": (lambda y, x: mp.atan2(mpf(y), mpf(x)), list(zip(spread(-30, 30, 50), spread(-30, 30, 50))) + list(zip(uniform(-1, 1, 30), uniform(-1, 1, 30))),
                     list(zip(spread(-40, 40, 60), spread(-40, 40, 60))) + list(zip(uniform(-1, 1, 60), uniform(-1, 1, 60))) + list(zip(spread(-500, 500, 20), spread(-400, 400, 20)))),
}

libm = ctypes.CDLL("libm.so.6")

def glibc(name, *args):
    f = getattr(libm, name)
    f.argtypes, f.restype = [ctypes.c_float] * len(args), ctypes.c_float
    return f(*args)

# Where glibc's result without FMA is another one.
FUSED = {
    "exp": [0x4202422f, 0xc27c65d9],
    "sin": [0x4255b0a9, 0x42a35c07, 0x42a35d44, 0xc2a97360, 0xc2cf5854, 0xc2e87a55],
    "cos": [0x418a3adb, 0x41bc76d9, 0x4202eb4b, 0xc2687a55, 0xc280ce28, 0xc2870e40],
}

def draw(name):
    """Random arguments of a float32 function."""
    lo, hi = {"pow": (0.01, 20), "log": (0, 20), "expm1": (-9, 9), "tanh": (-4, 4), "erfc": (-4, 9), "atan2": (-3, 3)}.get(name, (-80, 80))
    return tuple(f32(random.uniform(lo, hi)) for _ in range(2 if name in PAIRS else 1))

def odd(name, f):
    """Arguments for which glibc's float32 result is not correctly rounded, and FUSED."""
    found = [struct.unpack("<f", struct.pack("<I", b)) for b in FUSED.get(name, [])]
    while len(found) < 20:
        x = draw(name)
        if glibc(name + "f", *x) != rounded(f(*map(mpf, x)), True):
            found.append(x)
    return found

here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "golden.txt"), "w") as out:
    def write(name, args, result, single):
        out.write(" ".join([name] + [bits(v, single) for v in (*args, result)]) + "\n")

    unary = {n: (f, [(x,) for x in s], [(x,) for x in d]) for n, (f, s, d) in FUNCTIONS.items()}
    for name, (f, singles, doubles) in {**unary, **PAIRS}.items():
        if singles:
            for x in [tuple(map(f32, x)) for x in singles] + odd(name, f):
                write(name + "f", x, glibc(name + "f", *x), True)
        for x in doubles:
            write(name, x, rounded(f(*map(mpf, x)), False), False)
