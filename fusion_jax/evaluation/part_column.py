"""Columns that say which part a row is of, in the words of other people."""

import re
from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusion_jax.core import errors, spellings, words

TRAIN, VALID, TEST = 'train', 'valid', 'test'

_WORDS = {
  TRAIN: ('train', 'training', 'trn', 'development', 'derivation'),
  VALID: ('valid', 'val', 'validation', 'dev', 'tune', 'tuning'),
  TEST: ('test', 'testing', 'tst', 'holdout', 'heldout', 'external'),
}
_PARTS = {word: part for part, all_ in _WORDS.items() for word in all_}
_NAMES = ('split', 'set', 'partition', 'subset', 'dataset', 'phase', 'part')
# A column with such a word in its name is one of parts, whatever stands in it;
# with one of the second kind only if the rest of its name says nothing ('body
# part', 'contrast phase'). 'dataset' names a source as often as a part.
_CLEAR = ('split', 'splits', 'subset', 'partition')
_FOLDS = ('fold', 'folds', 'cvfold', 'kfold')
_VAGUE = ('set', 'sets', 'part', 'parts', 'phase', *_FOLDS)
_FILLERS = ('cv', 'id', 'model', 'name', 'no', 'num', 'nr', 'number')
_FILLERS += ('official', 'original', 'patient', 'random', 'row', 'study')
# A column of more values is none of parts.
_FEW = 12
_MAPPING = re.compile(r'(.+?):(.*=.*)')
_YES, _NO = {'true', '1', '1.0', 'yes'}, {'false', '0', '0.0', 'no'}


def column_of(asked: str) -> str:
  """The column that `asked` of `mapped` names."""
  mapping = _MAPPING.fullmatch(asked)
  return mapping[1] if mapping else asked


def mapped(table: pa.Table, asked: str, path) -> np.ndarray:
  """(n,) str of TRAIN, VALID and TEST: what a column means.

  Args:
    table: n rows.
    asked: the column's name, or name and meanings: 'split:0=train,1=test'.
    path: the file, for messages.

  Raises:
    UserError: if there is no such column, or for another word or a blank.
  """
  name = column_of(asked)
  if name not in table.column_names:
    raise errors.unknown_name(
      'column', name, table.column_names, where=f"part_column, of '{path}'"
    )
  texts = [x.strip() for x in _texts(table, name)]
  meanings = _meanings(asked, texts, path)
  parts = [meanings.get(x) or _part(x) for x in texts]
  if None in parts:
    row = parts.index(None)
    raise errors.UserError(
      f"'{path}', row {row + 1}, column '{name}': '{texts[row]}' is no part; "
      f'known are {_known()}. Say what other values mean with '
      f'--part_column={name}:VALUE=train,VALUE=test.'
    )
  return np.array(parts, str)


def _meanings(asked: str, texts: Collection[str], path) -> dict[str, str]:
  """By cell, the part that `asked` says it means."""
  mapping = _MAPPING.fullmatch(asked)
  if not mapping:
    return {}
  parts = {}
  for pair in mapping[2].split(','):
    value, sign, word = (x.strip() for x in pair.rpartition('='))
    if not sign or not _part(word):
      raise errors.UserError(
        f"--part_column={asked}: '{pair}' is no VALUE=PART; known parts are "
        f'{_known()}.'
      )
    parts[value] = _part(word)
  cells = spellings.match(parts, set(texts))
  for value in parts:
    if value not in cells:
      raise errors.unknown_name(
        'value',
        value,
        sorted(set(texts))[:_FEW],
        where=f"part_column={asked}, column '{mapping[1]}' of '{path}'",
      )
  return {cell: parts[value] for value, cell in cells.items()}


def _known() -> str:
  return ', '.join(word for all_ in _WORDS.values() for word in all_)


def check(
  table: pa.Table,
  names: Collection[str],
  part: np.ndarray,
  path,
  *,
  declared: bool = False,
) -> None:
  """Refuses columns that say of a row another part than it is taken for.

  Args:
    table: n rows.
    names: columns that nothing else is read from.
    part: (n,) the part of each row; what it says of TRAIN is not looked at.
    path: the file, for the message.
    declared: whether `part` was read from the file; a column that is called
      like one of parts may then hold what it likes but other parts.

  Raises:
    UserError: naming the column, its values and what to do.
  """
  kept = part != TRAIN
  for name in names:
    kind = table.column(name).type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
      continue
    texts = _texts(table, name)
    values = {x.strip().lower() for x in texts} - {''}
    parts = {x for x in values if _part(x)}
    bare = re.sub(r'[^a-z]', '', name.lower())
    asked = _asked(bare)
    if asked and values <= _YES | _NO:
      if values <= {TRAIN: _NO, TEST: _YES}.get(asked, set()):
        continue
      raise errors.UserError(
        f"'{path}': column '{name}' says which part a row is of, and would not "
        "be looked at: write a column 'part' of valid and test, without the "
        'rows of the training part, in its place.'
      )
    pieces = [x for x in re.split(r'[^a-z]+', _apart(name)) if x]
    others = parts != values and len(values) <= _FEW
    if others and _is_of_parts(pieces) and not declared:
      rest = 'take the column away if it means something else'
      if any(x in _FOLDS for x in pieces):
        rest = f"call the column 'fold' if it numbers folds, or {rest}"
      raise errors.UserError(
        f"'{path}': column '{name}' may be the part a row is of "
        f'({_shown(texts)}), but all would be evaluated as '
        f'{" and ".join(np.unique(part[kept]))}. Say with '
        f'{_example(name, texts)} which PART each is: train, valid or test '
        f'(rows of the training part are then left out); or {rest}.'
      )
    named = any(x in _NAMES for x in pieces) or bare.endswith(_NAMES[:3])
    if not parts or (parts != values and not named):
      continue
    said = np.array([_part(x) or '' for x in texts], str)
    if (said[kept] == part[kept]).all():
      continue
    raise errors.UserError(
      f"'{path}': column '{name}' looks like the part a row is of "
      f'({_shown(texts)}), but all would be evaluated as '
      f'{" and ".join(np.unique(part[kept]))}. '
      f'Say --part_column={name}: rows of the training part are then left '
      'out; or take the column away if it means something else.'
    )


def _is_of_parts(pieces: Collection[str]) -> bool:
  """Whether a name of these words is that of a column of parts."""
  if any(x in _CLEAR for x in pieces):
    return True
  return any(x in _VAGUE for x in pieces) and all(
    x in (*_VAGUE, *_FILLERS) for x in pieces
  )


def _apart(name: str) -> str:
  """'DataSplit' as 'data_split'."""
  return re.sub(r'(?<=[a-z])(?=[A-Z])', '_', name).lower()


def _shown(texts: Collection[str]) -> str:
  return ', '.join(
    f"'{x}' in {words.counted(n, 'row')}"
    for x, n in zip(*np.unique(texts, return_counts=True), strict=True)
  )


def _example(name: str, texts: Collection[str]) -> str:
  """A flag that says of each value that is no part which one it means."""
  values = sorted(x for x in {x.strip() for x in texts} if not _part(x))
  pairs = ','.join(f'{x}=PART' for x in values)
  return f"--part_column='{name}:{pairs}'"


def _asked(bare: str) -> str | None:
  """The part that a name such as 'istrain' asks for, yes or no."""
  if bare in ('train', 'training'):
    return TRAIN
  found = re.fullmatch('(?:is|in|for)(.+)', bare)
  return _PARTS.get(found[1]) if found else None


def _part(text: str) -> str | None:
  bare = re.sub(r'[\s_-]', '', text.lower())
  return _PARTS.get(bare.removesuffix('set'))


def _texts(table: pa.Table, name: str) -> list[str]:
  column = pc.fill_null(table.column(name).cast(pa.string()), '')
  return column.to_pylist()
