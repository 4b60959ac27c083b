"""Columns that say which part a row is of, in the words of other people."""

import re
from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusion_jax.core import errors, words

TRAIN, VALID, TEST = 'train', 'valid', 'test'

_WORDS = {
  TRAIN: ('train', 'training', 'trn', 'development', 'derivation'),
  VALID: ('valid', 'val', 'validation', 'dev', 'tune', 'tuning'),
  TEST: ('test', 'testing', 'tst', 'holdout', 'heldout', 'external'),
}
_PARTS = {word: part for part, all_ in _WORDS.items() for word in all_}
_NAMES = ('split', 'set', 'partition', 'subset', 'dataset', 'phase', 'part')
_YES, _NO = {'true', '1', '1.0', 'yes'}, {'false', '0', '0.0', 'no'}


def mapped(table: pa.Table, name: str, path) -> np.ndarray:
  """(n,) str of TRAIN, VALID and TEST: what column `name` means.

  Raises:
    UserError: if there is no such column, or for another word or a blank.
  """
  if name not in table.column_names:
    raise errors.unknown_name(
      'column', name, table.column_names, where=f"part_column, of '{path}'"
    )
  found = [_part(x) for x in _texts(table, name)]
  if None in found:
    row = found.index(None)
    known = ', '.join(word for all_ in _WORDS.values() for word in all_)
    raise errors.UserError(
      f"'{path}', row {row + 1}, column '{name}': "
      f"'{_texts(table, name)[row]}' is no part; known are {known}."
    )
  return np.array(found, str)


def check(
  table: pa.Table, names: Collection[str], part: np.ndarray, path
) -> None:
  """Refuses columns that say of a row another part than it is taken for.

  Args:
    table: n rows.
    names: columns that nothing else is read from.
    part: (n,) the part of each row; what it says of TRAIN is not looked at.
    path: the file, for the message.

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
    named = any(
      x in _NAMES for x in re.split(r'[^a-z]+', name.lower())
    ) or bare.endswith(_NAMES[:3])
    if not parts or (parts != values and not named):
      continue
    said = np.array([_part(x) or '' for x in texts], str)
    if (said[kept] == part[kept]).all():
      continue
    shown = ', '.join(
      f"'{x}' in {words.counted(n, 'row')}"
      for x, n in zip(*np.unique(texts, return_counts=True), strict=True)
    )
    raise errors.UserError(
      f"'{path}': column '{name}' looks like the part a row is of ({shown}), "
      f'but all would be evaluated as {" and ".join(np.unique(part[kept]))}. '
      f'Say --part_column={name}: rows of the training part are then left '
      'out; or take the column away if it means something else.'
    )


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
