"""Makes mnist.json: what NumPy makes of the original files, given their directory
as argument. The digests are SHA-256 of the float32 pixels, x.astype(float32)/255.0,
and of the labels as bytes."""
import gzip, hashlib, json, os, pathlib, sys
import numpy as np

def idx(name, offset):
    return np.frombuffer(gzip.open(os.path.join(sys.argv[1], name)).read(), np.uint8, offset=offset)

out = {}
for split, stem in (('train', 'train'), ('test', 't10k')):
    x = idx(stem + '-images-idx3-ubyte.gz', 16).astype(np.float32) / 255.0
    y = idx(stem + '-labels-idx1-ubyte.gz', 8)
    assert x.dtype == np.float32
    out[split] = {'pixels': hashlib.sha256(x.tobytes()).hexdigest(), 'labels': hashlib.sha256(y.tobytes()).hexdigest(),
                  'first_labels': y[:10].tolist(), 'counts': np.bincount(y).tolist()}
pathlib.Path(__file__).with_name('mnist.json').write_text(json.dumps(out, indent=1) + '\n')
