"""Cases of vectors: one file of all studies, or a file of each."""

import functools

import numpy as np

from tests.malformed import arrays, case, modality_cases

_EVENTS = modality_cases.EVENTS
_IDS = np.array([f's{i}' for i in range(case.STUDIES)])
_ONES = np.random.default_rng(0).normal(size=(case.STUDIES, 3))
_ONES = _ONES.astype(np.float32)
_save = functools.partial(arrays.npz, study=_IDS)


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
      case.write(folder / f'n/s{i}.npy', arrays.npy(_ONES[i]))
    if first is None:
      (folder / 'n/s0.npy').unlink()
    else:
      case.write(folder / 'n/s0.npy', first)

  words = (words,) if isinstance(words, str) else words
  flags = ('--cohort=.',)
  return case.Case(
    f'vector_each_{name}', outcome, words, make, 'prepare', flags, code
  )


CASES = (
  _vectors('sound', case.READ, _EVENTS, 0, _save(vector=_ONES)),
  _vector('absent', 'No such file of vectors', None),
  _vector('empty', 'cannot be read', b''),
  _vector('text', 'cannot be read', b'hello'),
  _vector('cut', 'cannot be read', _save(vector=_ONES)[:-40]),
  _vector('no_vector', "lacks the array 'vector'", _save()),
  _vector('no_study', "lacks the array 'study'", arrays.npz(vector=_ONES)),
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
    arrays.packed(
      **{'study.npy': arrays.npy(_IDS), 'vector.npy': arrays.PICKLED}
    ),
  ),
  _vector(
    'bomb',
    "'vector' is of shape (24, 99999999)",
    arrays.packed(
      **{
        'study.npy': arrays.npy(_IDS),
        'vector.npy': arrays.header('(24, 99999999)', "'<f4'", bytes(2**24)),
      }
    ),
  ),
  _vector(
    'numbers_of_studies',
    "'study' is float32 of shape (24,), expected",
    arrays.npz(study=_ONES[:, 0], vector=_ONES),
  ),
  _vector(
    'nobody',
    'none of 24 vectors is of a study of the',
    arrays.npz(study=np.char.add('x', _IDS), vector=_ONES),
  ),
  _vector(
    'nobody_absent',
    'none of 24 vectors is of a study of the',
    arrays.npz(study=np.char.add('x', _IDS), vector=_ONES),
    keys={'missing': '"absent"'},
  ),
  _vector(
    'one_lacks',
    "has no vector of 1 of 24 studies ('s0')",
    arrays.npz(study=_IDS[1:], vector=_ONES[1:]),
  ),
  _vector(
    'study_twice',
    "study 's0' has two vectors (rows 0 and 5)",
    arrays.npz(study=np.where(_IDS == 's5', 's0', _IDS), vector=_ONES),
  ),
  _vectors(
    'unsorted',
    case.READ,
    _EVENTS,
    0,
    arrays.npz(study=_IDS[::-1], vector=_ONES[::-1]),
  ),
  _vectors(
    'half_precision', case.READ, _EVENTS, 0, _save(vector=_ONES.astype('>f2'))
  ),
  _each('sound', case.READ, _EVENTS, 0, arrays.npy(_ONES[0])),
  _each('absent', case.REFUSED, "no such vector 'n/s0.npy'", 1, None),
  _each('empty', case.REFUSED, 'cannot be read', 2, b''),
  _each('cut', case.REFUSED, 'cannot be read', 2, arrays.npy(_ONES[0])[:-4]),
  _each(
    'width',
    case.REFUSED,
    "'n/s1.npy' has 3 numbers, 'n/s0.npy' has 2",
    2,
    arrays.npy(_ONES[0, :2]),
  ),
  _each('nan', case.READ, _EVENTS, 0, arrays.npy(_ONES[0] * np.nan)),
  _each(
    'words',
    case.REFUSED,
    'vectors are <U1 of shape (3,), expected',
    2,
    arrays.npy(np.full(3, 'a')),
  ),
  _each(
    'deep',
    case.REFUSED,
    'vectors are float64 of shape (2, 3),',
    2,
    arrays.npy(np.zeros((2, 3))),
  ),
  _each('pickled', case.REFUSED, 'cannot be read', 2, arrays.PICKLED),
  _each(
    'huge_header',
    case.REFUSED,
    'is of shape (99999999999,)',
    2,
    arrays.header('(99999999999,)'),
  ),
)
