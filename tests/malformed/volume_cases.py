"""Cases of volumes and vectors: arrays of NumPy and NIfTI."""

import functools
import gzip
import importlib.util
import io
import os
import pickle
import struct
import zipfile

import numpy as np

from tests.malformed import case, modality_cases

_EVENTS = modality_cases.EVENTS
# Whatever NumPy and nibabel say, in their versions' words.
_DAMAGED = 'damaged or unreadable volume'


def _volume(seed: int = 0) -> np.ndarray:
  rng = np.random.default_rng(seed)
  return rng.integers(0, 255, (4, 5, 6), dtype=np.uint8)


def _npy(array, **options) -> bytes:
  out = io.BytesIO()
  np.save(out, array, **options)
  return out.getvalue()


def _npz(**arrays) -> bytes:
  out = io.BytesIO()
  np.savez_compressed(out, **arrays)
  return out.getvalue()


def _zip(**members: bytes) -> bytes:
  out = io.BytesIO()
  with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as file:
    for name, content in members.items():
      file.writestr(name, content)
  return out.getvalue()


def _header(shape: str, descr: str = "'<f4'", body: bytes = b'') -> bytes:
  """A file of NumPy whose header says so."""
  text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}"
  text = text.ljust(117) + '\n'
  return (
    b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + (text.encode() + body)
  )


def _of(name, outcome, words, code, first, *, suffix, sound, keys=None):
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
  options = {'suffix': '.npy', 'sound': lambda i: _npy(_volume(i)), **rest}
  return _of(f'npy_{name}', outcome, words, code, first, **options)


def _arrays(name, words, first, code=1, outcome=case.REFUSED, **rest):
  options = {'suffix': '.npz', 'sound': lambda i: _npz(volume=_volume(i))}
  return _of(f'npz_{name}', outcome, words, code, first, **options, **rest)


def _nifti(array=None, *, change=None) -> bytes:
  import nibabel

  array = _volume() if array is None else array
  image = nibabel.Nifti1Image(array, np.eye(4))
  data = bytearray(image.to_bytes())
  if change:
    change(data)
  return bytes(data)


def _scan(name, words, first, code=1, outcome=case.REFUSED, **rest):
  """A case of NIfTI; `first` makes the bytes when the case is made."""
  packed = gzip.compress

  def put(path):
    case.write(path, first())

  options = {
    'suffix': '.nii.gz',
    'sound': lambda i: packed(_nifti(_volume(i))),
    **rest,
  }
  return _of(f'nifti_{name}', outcome, words, code, put, **options)


def _set(offset, form, *values):
  """A change of the header of a NIfTI file."""
  return lambda data: struct.pack_into(form, data, offset, *values)


def _affine(name, words, rows, **rest):
  """A scan whose place in space is told by these 3 x 4 numbers."""

  def first():
    return gzip.compress(_nifti(change=_set(280, '12f', *rows)))

  return _scan(f'affine_{name}', words, first, **rest)


def _truncated_gzip() -> bytes:
  return gzip.compress(_nifti())[:-30]


def _corrupt_gzip() -> bytes:
  data = bytearray(gzip.compress(_nifti()))
  data[len(data) // 2] ^= 0xFF
  return bytes(data)


def _vectors(name, outcome, words, code, content, *, keys=None):
  section = {'kind': '"vector"', 'path': '"notes.npz"', **(keys or {})}
  text = modality_cases.descriptor(labs=modality_cases.LABS, note=section)

  def make(folder):
    case.cohort(folder, descriptor=text)
    if callable(content):
      content(folder / 'notes.npz')
    elif content is not None:
      case.write(folder / 'notes.npz', content)

  words = (words,) if isinstance(words, str) else words
  flags = ('--cohort=.',)
  return case.Case(
    f'vector_{name}', outcome, words, make, 'prepare', flags, code
  )


def _vector(name, words, content, code=2, **rest):
  return _vectors(name, case.REFUSED, words, code, content, **rest)


def _each(name, outcome, words, code, first):
  """One file a study, of which the first is `first`."""
  section = {'kind': '"vector"', 'path': '"n/{sid}.npy"'}
  text = modality_cases.descriptor(labs=modality_cases.LABS, note=section)

  def make(folder):
    case.cohort(folder, descriptor=text)
    for i in range(case.STUDIES):
      case.write(folder / f'n/s{i}.npy', _npy(_ONES[i]))
    if first is None:
      (folder / 'n/s0.npy').unlink()
    else:
      case.write(folder / 'n/s0.npy', first)

  words = (words,) if isinstance(words, str) else words
  flags = ('--cohort=.',)
  return case.Case(
    f'vector_each_{name}', outcome, words, make, 'prepare', flags, code
  )


class _Evil:
  """What unpickling would run: it would leave a folder."""

  def __reduce__(self):
    return os.mkdir, (case.RUN,)


_IDS = np.array([f's{i}' for i in range(case.STUDIES)])
_ONES = np.random.default_rng(0).normal(size=(case.STUDIES, 3))
_ONES = _ONES.astype(np.float32)
_PICKLED = _npy(np.array([_Evil()], object), allow_pickle=True)
_NAN = np.where(_volume() == _volume().max(), np.nan, 1.0)
_save = functools.partial(_npz, study=_IDS)

ARRAYS = (
  _array('sound', _EVENTS, _npy(_volume(99)), 0, case.READ),
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
  _array('cut_header', _DAMAGED, _npy(_volume())[:9]),
  _array('cut', _DAMAGED, _npy(_volume())[:-20]),
  _array('pickled', 'it has shape (1,)', _PICKLED),
  _array(
    'pickle', 'the file is no .npy file by its content', pickle.dumps(_Evil())
  ),
  _array(
    'objects',
    'its values are object, no real numbers',
    _npy(np.array([[[None]]]), allow_pickle=True),
  ),
  _array(
    'words',
    'its values are <U1, no real numbers',
    _npy(np.full((4, 5, 6), 'a')),
  ),
  _array(
    'complex',
    'its values are complex128, no real numbers',
    _npy(_volume().astype(complex)),
  ),
  _array(
    'dates',
    'its values are datetime64[D], no real',
    _npy(_volume().astype('M8[D]')),
  ),
  _array(
    'records',
    "its values are [('a', '<f4'), ('b',",
    _npy(np.zeros((4, 5, 6), [('a', 'f4'), ('b', 'f4')])),
  ),
  _array('scalar', 'it has shape ()', _npy(np.float32(1))),
  _array('vector', 'it has shape (9,)', _npy(np.zeros(9))),
  _array('flat', 'it has shape (4, 5)', _npy(np.zeros((4, 5)))),
  _array(
    'five', 'it has shape (1, 2, 4, 5, 6)', _npy(np.zeros((1, 2, 4, 5, 6)))
  ),
  _array(
    'channels', 'it has shape (4, 5, 6, 30)', _npy(np.zeros((4, 5, 6, 30)))
  ),
  _array('no_voxel', 'it has shape (4, 0, 6)', _npy(np.zeros((4, 0, 6)))),
  _array(
    'other_shape',
    'Volumes have several shapes (d, h, w, c)',
    _npy(np.zeros((4, 5, 7), np.uint8)),
    2,
  ),
  _array('nan', 'it holds NaN or infinity (2 of 120 values)', _npy(_NAN)),
  _array(
    'infinite',
    'it holds NaN or infinity (2 of 120 values)',
    _npy(np.where(np.isnan(_NAN), np.inf, 1)),
  ),
  _array(
    'beyond_float32',
    'it holds 1e+300, too much for float32',
    _npy(np.where(np.isnan(_NAN), 1e300, 1)),
  ),
  _array(
    'huge_header',
    'it has shape (100000, 100000, 100000)',
    _header('(100000, 100000, 100000)'),
  ),
  _array('endless_header', 'it has shape', _header(f'({"9" * 60}, 9, 9)')),
  _array(
    'negative_header',
    _DAMAGED,
    _header('(-4, 5, 6)', body=bytes(480)),
  ),
  _array('half_header', _DAMAGED, _header('(4.5, 5, 6)', body=bytes(480))),
  _array(
    'code_header',
    _DAMAGED,
    _header(f'__import__("os").mkdir("{case.RUN}")'),
  ),
  _array(
    'no_type',
    _DAMAGED,
    _header('(4, 5, 6)', "'nonsense'", bytes(480)),
  ),
  _array(
    'short_body',
    _DAMAGED,
    _header('(4, 5, 6)', body=bytes(8)),
  ),
  _array('big_endian', _EVENTS, _npy(_volume(99).astype('>i2')), 0, case.READ),
  _array(
    'fortran', _EVENTS, _npy(np.asfortranarray(_volume(99))), 0, case.READ
  ),
  _array('boolean', _EVENTS, _npy(_volume(99) > 99), 0, case.READ),
  _array('all_equal', _EVENTS, _npy(np.zeros_like(_volume())), 0, case.READ),
  _array(
    'classes',
    'it holds the class 94',
    _npy(_volume()),
    keys={'classes': '3'},
    sound=lambda i: _npy(_volume(i) % 3),
  ),
  _array('folder', 'the folder holds no DICOM slices', os.mkdir),
  _array('pipe', "'v/s0.npy' is a named pipe", os.mkfifo),
  _array(
    'endless',
    "image 'v/s0.npy' is not in the data folder",
    lambda x: os.symlink('/dev/zero', x),
  ),
  _arrays('sound', _EVENTS, _npz(volume=_volume(99)), 0, case.READ),
  _arrays('other_name', _EVENTS, _npz(x=_volume(99)), 0, case.READ),
  _arrays(
    'several',
    "it has no array 'volume', legal is that or",
    _npz(a=_volume(), b=_volume()),
  ),
  _arrays('none', "it has no array 'volume', legal is that or", _npz()),
  _arrays('empty', 'the file is empty', b''),
  _arrays('cut', _DAMAGED, _npz(volume=_volume())[:-30]),
  _arrays('npy', 'the file is no .npz file by its content', _npy(_volume())),
  _arrays('text', _DAMAGED, b'PK is how a zip begins'),
  _arrays('no_array', _DAMAGED, _zip(**{'volume.npy': b'hello'})),
  _arrays('pickled', 'it has shape (1,)', _zip(**{'volume.npy': _PICKLED})),
  _arrays('flat', 'it has shape (4, 5)', _npz(volume=np.zeros((4, 5)))),
  _arrays(
    'nan', 'it holds NaN or infinity (2 of 120 values)', _npz(volume=_NAN)
  ),
  _arrays(
    'other_shape',
    'Volumes have several shapes (d, h, w, c)',
    _npz(volume=np.zeros((9, 5, 6), np.uint8)),
    2,
  ),
  _arrays(
    'bomb',
    _DAMAGED,
    _zip(
      **{'volume.npy': _header('(1024, 1024, 1024)', "'|u1'", bytes(2**24))}
    ),
  ),
  _arrays(
    'huge_header',
    'it has shape (9999999, 9999, 9999)',
    _zip(**{'volume.npy': _header('(9999999, 9999, 9999)')}),
  ),
  _arrays('twice', _DAMAGED, _zip(**{'a/volume.npy': b'', 'volume.npy': b''})),
)

VECTORS = (
  _vectors('sound', case.READ, _EVENTS, 0, _save(vector=_ONES)),
  _vector('absent', 'No such file of vectors', None),
  _vector('empty', 'cannot be read', b''),
  _vector('text', 'cannot be read', b'hello'),
  _vector('cut', 'cannot be read', _save(vector=_ONES)[:-40]),
  _vector('no_vector', "lacks the array 'vector'", _save()),
  _vector('no_study', "lacks the array 'study'", _npz(vector=_ONES)),
  _vector(
    'flat', 'vectors are float32 of shape (24,),', _save(vector=_ONES[:, 0])
  ),
  _vector(
    'deep',
    'vectors are float32 of shape (24, 1, 3),',
    _save(vector=_ONES[:, None]),
  ),
  _vector('no_width', 'vectors of 0 numbers', _save(vector=_ONES[:, :0])),
  _vector('too_few', '24 studies and 23 vectors', _save(vector=_ONES[:-1])),
  _vector(
    'nan',
    '9 vectors are NaN in some places only (row',
    _save(vector=np.where(_ONES > 1, np.nan, _ONES)),
  ),
  _vector(
    'infinite',
    'a vector holds infinity',
    _save(vector=np.where(_ONES > 1, np.inf, _ONES)),
  ),
  _vector(
    'beyond_float32',
    'it holds 2.32503e+300, too much for',
    _save(vector=_ONES.astype(float) * 1e300),
  ),
  _vector(
    'words',
    'vectors are <U1 of shape (24, 3), expected',
    _save(vector=np.full((case.STUDIES, 3), 'a')),
  ),
  _vector(
    'complex',
    'vectors are complex64 of shape (24, 3),',
    _save(vector=_ONES * 1j),
  ),
  _vector(
    'wide',
    'vectors of 70000 numbers',
    _save(vector=np.zeros((case.STUDIES, 70_000), 'f2')),
  ),
  _vector(
    'objects', 'cannot be read', _save(vector=np.array([[None]] * case.STUDIES))
  ),
  _vector(
    'pickled',
    'cannot be read',
    _zip(**{'study.npy': _npy(_IDS), 'vector.npy': _PICKLED}),
  ),
  _vector(
    'bomb',
    "'vector' is of shape (24, 99999999)",
    _zip(
      **{
        'study.npy': _npy(_IDS),
        'vector.npy': _header('(24, 99999999)', "'<f4'", bytes(2**24)),
      }
    ),
  ),
  _vector(
    'numbers_of_studies',
    "'study' is float32 of shape (24,), expected",
    _npz(study=_ONES[:, 0], vector=_ONES),
  ),
  _vector(
    'nobody',
    'none of 24 vectors is of a study of the',
    _npz(study=np.char.add('x', _IDS), vector=_ONES),
  ),
  _vector(
    'nobody_absent',
    'none of 24 vectors is of a study of the',
    _npz(study=np.char.add('x', _IDS), vector=_ONES),
    keys={'missing': '"absent"'},
  ),
  _vector(
    'one_lacks',
    "has no vector of 1 of 24 studies ('s0')",
    _npz(study=_IDS[1:], vector=_ONES[1:]),
  ),
  _vector(
    'study_twice',
    "study 's0' has two vectors (rows 0 and 5)",
    _npz(study=np.where(_IDS == 's5', 's0', _IDS), vector=_ONES),
  ),
  _vectors(
    'unsorted',
    case.READ,
    _EVENTS,
    0,
    _npz(study=_IDS[::-1], vector=_ONES[::-1]),
  ),
  _vectors(
    'half_precision', case.READ, _EVENTS, 0, _save(vector=_ONES.astype('>f2'))
  ),
  _each('sound', case.READ, _EVENTS, 0, _npy(_ONES[0])),
  _each('absent', case.REFUSED, "no such vector 'n/s0.npy'", 1, None),
  _each('empty', case.REFUSED, 'cannot be read', 2, b''),
  _each('cut', case.REFUSED, 'cannot be read', 2, _npy(_ONES[0])[:-4]),
  _each(
    'width',
    case.REFUSED,
    "'n/s1.npy' has 3 numbers, 'n/s0.npy' has 2",
    2,
    _npy(_ONES[0, :2]),
  ),
  _each('nan', case.READ, _EVENTS, 0, _npy(_ONES[0] * np.nan)),
  _each(
    'words',
    case.REFUSED,
    'vectors are <U1 of shape (3,), expected',
    2,
    _npy(np.full(3, 'a')),
  ),
  _each(
    'deep',
    case.REFUSED,
    'vectors are float64 of shape (2, 3),',
    2,
    _npy(np.zeros((2, 3))),
  ),
  _each('pickled', case.REFUSED, 'cannot be read', 2, _PICKLED),
  _each(
    'huge_header',
    case.REFUSED,
    'is of shape (99999999999,)',
    2,
    _header('(99999999999,)'),
  ),
)

# Reading NIfTI is an extra.
SCANS = (
  _scan(
    'sound', _EVENTS, lambda: gzip.compress(_nifti(_volume(99))), 0, case.READ
  ),
  _scan('empty', 'the file is empty', lambda: b''),
  _scan(
    'text', 'the file is no .nii.gz file by its content', lambda: b'no scan'
  ),
  _scan('not_packed', 'the file is no .nii.gz file by its content', _nifti),
  _scan('gzip_cut', _DAMAGED, _truncated_gzip),
  _scan('gzip_corrupt', _DAMAGED, _corrupt_gzip),
  _scan(
    'cut',
    _DAMAGED,
    lambda: gzip.compress(_nifti()[:-60]),
  ),
  _scan(
    'cut_header',
    _DAMAGED,
    lambda: gzip.compress(_nifti()[:100]),
  ),
  _scan(
    'header_only',
    _DAMAGED,
    lambda: gzip.compress(_nifti()[:352]),
  ),
  _scan(
    'no_magic',
    _DAMAGED,
    lambda: gzip.compress(_nifti(change=_set(344, 'i', 0))),
  ),
  _scan(
    'zeros',
    _DAMAGED,
    lambda: gzip.compress(bytes(4096)),
  ),
  _scan(
    'time',
    'it has shape (4, 5, 6, 20)',
    lambda: gzip.compress(_nifti(np.zeros((4, 5, 6, 20), np.uint8))),
  ),
  _scan(
    'flat',
    'it has shape (4, 5)',
    lambda: gzip.compress(_nifti(np.zeros((4, 5), np.uint8))),
  ),
  _scan(
    'huge_shape',
    'it has shape (32000, 32000, 32000)',
    lambda: gzip.compress(_nifti(change=_set(42, '3h', *[32000] * 3))),
  ),
  _scan(
    'negative_shape',
    _DAMAGED,
    lambda: gzip.compress(_nifti(change=_set(42, '3h', -4, 5, 6))),
  ),
  _scan(
    'type',
    _DAMAGED,
    lambda: gzip.compress(_nifti(change=_set(70, 'h', 999))),
  ),
  _scan(
    'complex',
    'its values are complex64, no real numbers',
    lambda: gzip.compress(_nifti(_volume().astype('c8'))),
  ),
  _scan(
    'nan',
    'it holds NaN or infinity (2 of 120 values)',
    lambda: gzip.compress(_nifti(_NAN.astype(np.float32))),
  ),
  _affine('zeros', 'its affine tells no orientation', [0.0] * 12),
  _affine('nan', 'its affine tells no orientation', [np.nan] * 12),
  _affine(
    'flat',
    'its affine tells no orientation',
    [0.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
  ),
  _affine(
    'infinite',
    'its affine tells no orientation',
    [np.inf, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
  ),
  _affine(
    'twice',
    'its affine tells no orientation',
    [1.0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0],
  ),
  _scan(
    'voxel_of_zero',
    _EVENTS,
    lambda: gzip.compress(_nifti(change=_set(80, '3f', 0, 1, 1))),
    0,
    case.READ,
  ),
  _scan(
    'voxel_nan',
    _EVENTS,
    lambda: gzip.compress(_nifti(change=_set(80, '3f', np.nan, 1, 1))),
    0,
    case.READ,
  ),
  _scan(
    'offset',
    _DAMAGED,
    lambda: gzip.compress(_nifti(change=_set(108, 'f', 1e9))),
  ),
)

CASES = ARRAYS + VECTORS
if importlib.util.find_spec('nibabel'):
  CASES += SCANS
