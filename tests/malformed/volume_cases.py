"""Cases of volumes in files of NumPy."""

import os
import pickle

import numpy as np

from tests.malformed import arrays, case, modality_cases

_EVENTS = modality_cases.EVENTS


def volumes(name, outcome, words, code, first, *, suffix, sound, keys=None):
  """A sound cohort of volumes but for the first.

  Args:
    name: of the case.
    outcome: of the case.
    words: of the case.
    code: of the case.
    first: bytes of the first file, or a function that puts something there.
    suffix: of the files.
    sound: by number, bytes of the other files.
    keys: of the modality.
  """
  section = {'kind': '"volume"', 'path': f'"v/{{sid}}{suffix}"', **(keys or {})}
  text = modality_cases.descriptor(labs=modality_cases.LABS, ct=section)

  def make(folder):
    case.cohort(folder, descriptor=text)
    for i in range(1, case.STUDIES):
      case.write(folder / f'v/s{i}{suffix}', sound(i))
    path = folder / f'v/s0{suffix}'
    if callable(first):
      first(path)
    elif first is not None:
      case.write(path, first)

  words = (words,) if isinstance(words, str) else words
  flags = ('--cohort=.',)
  return case.Case(
    f'volume_{name}', outcome, words, make, 'prepare', flags, code
  )


def _array(name, words, first, code=1, outcome=case.REFUSED, **rest):
  options = {
    'suffix': '.npy',
    'sound': lambda i: arrays.npy(arrays.volume(i)),
    **rest,
  }
  return volumes(f'npy_{name}', outcome, words, code, first, **options)


def _arrays(name, words, first, code=1, outcome=case.REFUSED, **rest):
  options = {
    'suffix': '.npz',
    'sound': lambda i: arrays.npz(volume=arrays.volume(i)),
  }
  return volumes(f'npz_{name}', outcome, words, code, first, **options, **rest)


_NAN = np.where(arrays.volume() == arrays.volume().max(), np.nan, 1.0)

CASES = (
  _array('sound', _EVENTS, arrays.npy(arrays.volume(99)), 0, case.READ),
  _array('absent', "no such volume 'v/s0.npy'", None),
  _array('empty', 'the file is empty', b''),
  _array(
    'text',
    'the file is no .npy file by its content',
    b'hello, this is no array at all',
  ),
  _array(
    'pointer',
    'the file is a Git LFS pointer',
    b'version https://git-lfs.github.com/spec/v1\n',
  ),
  _array('cut_header', arrays.DAMAGED, arrays.npy(arrays.volume())[:9]),
  _array('cut', arrays.DAMAGED, arrays.npy(arrays.volume())[:-20]),
  _array('pickled', 'it has shape (1,)', arrays.PICKLED),
  _array(
    'pickle',
    'the file is no .npy file by its content',
    pickle.dumps(arrays.Evil()),
  ),
  _array(
    'objects',
    'its values are object, no real numbers',
    arrays.npy(np.array([[[None]]]), allow_pickle=True),
  ),
  _array(
    'words',
    'its values are <U1, no real numbers',
    arrays.npy(np.full((4, 5, 6), 'a')),
  ),
  _array(
    'complex',
    'its values are complex128, no real numbers',
    arrays.npy(arrays.volume().astype(complex)),
  ),
  _array(
    'dates',
    'its values are datetime64[D], no real',
    arrays.npy(arrays.volume().astype('M8[D]')),
  ),
  _array(
    'records',
    "its values are [('a', '<f4'), ('b',",
    arrays.npy(np.zeros((4, 5, 6), [('a', 'f4'), ('b', 'f4')])),
  ),
  _array('scalar', 'it has shape ()', arrays.npy(np.float32(1))),
  _array('vector', 'it has shape (9,)', arrays.npy(np.zeros(9))),
  _array('flat', 'it has shape (4, 5)', arrays.npy(np.zeros((4, 5)))),
  _array(
    'five',
    'it has shape (1, 2, 4, 5, 6)',
    arrays.npy(np.zeros((1, 2, 4, 5, 6))),
  ),
  _array(
    'channels',
    'it has shape (4, 5, 6, 30)',
    arrays.npy(np.zeros((4, 5, 6, 30))),
  ),
  _array('no_voxel', 'it has shape (4, 0, 6)', arrays.npy(np.zeros((4, 0, 6)))),
  _array(
    'other_shape',
    'Volumes have several shapes (d, h, w, c)',
    arrays.npy(np.zeros((4, 5, 7), np.uint8)),
    2,
  ),
  _array('nan', 'it holds NaN or infinity (2 of 120 values)', arrays.npy(_NAN)),
  _array(
    'infinite',
    'it holds NaN or infinity (2 of 120 values)',
    arrays.npy(np.where(np.isnan(_NAN), np.inf, 1)),
  ),
  _array(
    'beyond_float32',
    'it holds 1e+300, too much for float32',
    arrays.npy(np.where(np.isnan(_NAN), 1e300, 1)),
  ),
  _array(
    'huge_header',
    'it has shape (100000, 100000, 100000)',
    arrays.header('(100000, 100000, 100000)'),
  ),
  _array(
    'endless_header', 'it has shape', arrays.header(f'({"9" * 60}, 9, 9)')
  ),
  _array(
    'negative_header',
    arrays.DAMAGED,
    arrays.header('(-4, 5, 6)', body=bytes(480)),
  ),
  _array(
    'half_header', arrays.DAMAGED, arrays.header('(4.5, 5, 6)', body=bytes(480))
  ),
  _array(
    'code_header',
    arrays.DAMAGED,
    arrays.header(f'__import__("os").mkdir("{case.RUN}")'),
  ),
  _array(
    'no_type',
    arrays.DAMAGED,
    arrays.header('(4, 5, 6)', "'nonsense'", bytes(480)),
  ),
  _array(
    'short_body',
    arrays.DAMAGED,
    arrays.header('(4, 5, 6)', body=bytes(8)),
  ),
  _array(
    'big_endian',
    _EVENTS,
    arrays.npy(arrays.volume(99).astype('>i2')),
    0,
    case.READ,
  ),
  _array(
    'fortran',
    _EVENTS,
    arrays.npy(np.asfortranarray(arrays.volume(99))),
    0,
    case.READ,
  ),
  _array('boolean', _EVENTS, arrays.npy(arrays.volume(99) > 99), 0, case.READ),
  _array(
    'all_equal',
    _EVENTS,
    arrays.npy(np.zeros_like(arrays.volume())),
    0,
    case.READ,
  ),
  _array(
    'classes',
    'it holds the class 94',
    arrays.npy(arrays.volume()),
    keys={'classes': '3'},
    sound=lambda i: arrays.npy(arrays.volume(i) % 3),
  ),
  _array('folder', 'the folder holds no DICOM slices', os.mkdir),
  _array('pipe', "'v/s0.npy' is a named pipe", os.mkfifo),
  _array(
    'endless',
    "image 'v/s0.npy' is not in the data folder",
    lambda x: os.symlink('/dev/zero', x),
  ),
  _arrays('sound', _EVENTS, arrays.npz(volume=arrays.volume(99)), 0, case.READ),
  _arrays('other_name', _EVENTS, arrays.npz(x=arrays.volume(99)), 0, case.READ),
  _arrays(
    'several',
    "it has no array 'volume', legal is that or",
    arrays.npz(a=arrays.volume(), b=arrays.volume()),
  ),
  _arrays('none', "it has no array 'volume', legal is that or", arrays.npz()),
  _arrays('empty', 'the file is empty', b''),
  _arrays('cut', arrays.DAMAGED, arrays.npz(volume=arrays.volume())[:-30]),
  _arrays(
    'npy',
    'the file is no .npz file by its content',
    arrays.npy(arrays.volume()),
  ),
  _arrays('text', arrays.DAMAGED, b'PK is how a zip begins'),
  _arrays(
    'no_array', arrays.DAMAGED, arrays.packed(**{'volume.npy': b'hello'})
  ),
  _arrays(
    'pickled',
    'it has shape (1,)',
    arrays.packed(**{'volume.npy': arrays.PICKLED}),
  ),
  _arrays('flat', 'it has shape (4, 5)', arrays.npz(volume=np.zeros((4, 5)))),
  _arrays(
    'nan', 'it holds NaN or infinity (2 of 120 values)', arrays.npz(volume=_NAN)
  ),
  _arrays(
    'other_shape',
    'Volumes have several shapes (d, h, w, c)',
    arrays.npz(volume=np.zeros((9, 5, 6), np.uint8)),
    2,
  ),
  _arrays(
    'bomb',
    arrays.DAMAGED,
    arrays.packed(
      **{
        'volume.npy': arrays.header('(1024, 1024, 1024)', "'|u1'", bytes(2**24))
      }
    ),
  ),
  _arrays(
    'huge_header',
    'it has shape (9999999, 9999, 9999)',
    arrays.packed(**{'volume.npy': arrays.header('(9999999, 9999, 9999)')}),
  ),
  _arrays(
    'twice',
    arrays.DAMAGED,
    arrays.packed(**{'a/volume.npy': b'', 'volume.npy': b''}),
  ),
)
