"""Makes cases.npz (written by numpy.savez, so every member is what numpy.save
writes) and compressed.npz (the same by savez_compressed)."""
import pathlib
import numpy as np

here = pathlib.Path(__file__).parent
a = {}
for t in ('f2', 'f4', 'f8', 'i1', 'i2', 'i4', 'i8'):
    a[t] = np.array([[0, 1, -2], [100, -128, 7]], '<' + t)
for t in ('u1', 'u2', 'u4', 'u8'):
    a[t] = np.array([[0, 1, 2], [100, 128, 255]], '<' + t)
a['b1'] = np.array([True, False, True])
a['c8'] = np.array([1 + 2j, -3j], 'c8')
a['c16'] = np.array([1 + 2j, -3j], 'c16')
a['special'] = np.array([np.inf, -np.inf, -0.0, np.float16(2.0**-24), 65504], 'f2')
a['scalar'] = np.array(3.5, 'f8')
a['empty'] = np.zeros((0, 4), 'f4')
a['bytes'] = np.array([b'ab', b'', b'cde'])
a['layer/\u00e9:0'] = np.array([1], 'i4')
big = {'big_i4': a['i4'].astype('>i4'), 'big_c8': a['c8'].astype('>c8'),
       'fortran': np.asfortranarray(np.arange(24, dtype='i2').reshape(2, 3, 4)),
       'unicode': np.array(['h\u00e9', '', '\u4e16']), 'fortran_bytes': np.asfortranarray(np.array([[b'a', b'bb'], [b'c', b'']]))}
np.savez(here / 'cases.npz', **a)
np.savez(here / 'foreign.npz', **big)
np.savez_compressed(here / 'compressed.npz', **a, **big)
np.savez(here / 'unsupported.npz', structured=np.zeros(2, 'i4,f4'), object=np.array([None]), time=np.array(['2020-01-01'], 'M8[D]'))
with open(here / 'version2.npy', 'wb') as f:
    np.lib.format.write_array(f, np.arange(3, dtype='i1'), version=(2, 0))
