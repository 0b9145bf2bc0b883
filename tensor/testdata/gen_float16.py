"""Makes float16.json: SHA-256 of NumPy's conversions between float16 and float32.

f16_to_f32: all 65536 halves, widened, as little-endian float32 bytes.
f32_to_f16: for each value of the low 13 bits below, all 2^19 float32 patterns
with these low bits, rounded, as little-endian halves. The low bits are the ones
rounding drops: just above and below a half, a half, just above and below whole.
NaNs are the quiet NaN of their sign on both sides.
"""
import hashlib, json, pathlib
import numpy as np

out = {}
f = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
b = f.view(np.uint32)
b = np.where(np.isnan(f), (b & 0x80000000) | 0x7fc00000, b).astype('<u4')
out['f16_to_f32'] = hashlib.sha256(b.tobytes()).hexdigest()
out['f32_to_f16'] = {}
np.seterr(all='ignore')
for low in (0, 1, 0xfff, 0x1000, 0x1001, 0x1fff):
    bits = (np.arange(1 << 19, dtype=np.uint32) << 13) | np.uint32(low)
    x = bits.view(np.float32)
    h = x.astype(np.float16).view(np.uint16)
    h = np.where(np.isnan(x), ((bits >> 16) & 0x8000) | 0x7e00, h).astype('<u2')
    out['f32_to_f16'][str(low)] = hashlib.sha256(h.tobytes()).hexdigest()
pathlib.Path(__file__).with_name('float16.json').write_text(json.dumps(out, indent=1) + '\n')
