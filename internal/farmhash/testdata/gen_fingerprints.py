"""Writes fingerprints.txt: for each length n the string of bytes (7·i + n) mod 256,
its TensorFlow Fingerprint64 modulo 2^63 − 25 and modulo 2^62 − 57."""

import os

import tensorflow as tf

LENGTHS = [*range(70), 95, 96, 97, 127, 128, 129, 130, 191, 192, 193, 255, 256, 257, 1000]

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fingerprints.txt")
with open(path, "w") as f:
    for n in LENGTHS:
        text = bytes((7 * i + n) % 256 for i in range(n))
        buckets = [int(tf.strings.to_hash_bucket_fast(text, m)) for m in (2**63 - 25, 2**62 - 57)]
        print(n, *buckets, file=f)
