"""Makes preprocess.json (SHA-256 of NumPy's float32 results on the bytes 0..255,
shape [256], or [256,3] where channels differ), and npz/npy files as users write
them."""
import hashlib, json, pathlib
import numpy as np

here = pathlib.Path(__file__).parent
x = np.arange(256, dtype=np.uint8).astype(np.float32)
rgb = np.repeat(x[:, None], 3, 1)
f = np.float32
mean, std = np.array([0.485, 0.456, 0.406], f), np.array([0.229, 0.224, 0.225], f)
cases = {
    'none': x,
    '/255': x / 255.0,
    '[-1,1]': x / 127.5 - 1,
    '[0,1]': x / 255.0,
    '/255,mean=0.1307,std=0.3081': (x / 255.0 - f(0.1307)) / f(0.3081),
    'mean=127': x - f(127),
    '/255,mean=0.485,0.456,0.406,std=0.229,0.224,0.225': (rgb / 255.0 - mean) / std,
    'std=58.395,57.12,57.375': rgb / np.array([58.395, 57.12, 57.375], f),
}
out = {}
for text, y in cases.items():
    assert y.dtype == np.float32
    out[text] = {'channels': y.size // 256, 'sha256': hashlib.sha256(y.tobytes()).hexdigest()}
(here / 'preprocess.json').write_text(json.dumps(out, indent=1) + '\n')

xs = np.arange(24, dtype=np.uint8).reshape(6, 2, 2)
ys = np.arange(6, dtype=np.int64)
np.savez(here / 'xy.npz', x=xs, y=ys)
np.savez_compressed(here / 'splits.npz', x_train=xs, y_train=ys, x_test=xs[:2] + 100, y_test=ys[:2])
np.savez(here / 'named.npz', a=xs.astype(np.float32), b=xs.astype(np.float16)[:, :1], labels=np.eye(6, dtype=np.float32))
np.savez(here / 'positional.npz', xs, ys)
np.save(here / 'x.npy', xs)
np.save(here / 'y.npy', ys.astype(np.uint8))
