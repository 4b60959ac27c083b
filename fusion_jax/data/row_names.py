"""Names in columns of many rows: by number, and which of them a cohort has."""

import itertools
from collections.abc import Collection, Sequence

import numpy as np

from fusion_jax.core import errors, identifiers, spellings
from fusion_jax.data import row_cells, tables

# Names of other studies that are compared with those of the cohort.
_FOLDED = 100_000
# Characters of a name: a column with more holds notes.
LONGEST = 1000


class Names:
  """Different texts by number, in order of appearance."""

  def __init__(self, missing: Collection[str], *, where: str = ''):
    """`where` is told of texts that are too long for a name; '' for none."""
    self.texts: list[str] = []
    self._ids: dict[str, int] = {}
    self._missing = missing
    self._where = where

  def add(self, column: row_cells.Texts) -> np.ndarray:
    """(r,) int32 numbers of a column; -1 where there is nothing.

    Raises:
      UserError: for a text that is no name but prose.
    """
    ids = [self._id(x) for x in column.distinct.to_pylist()]
    return np.array([*ids, -1], np.int32)[column.index]

  def __len__(self) -> int:
    return len(self.texts)

  def of(self, name: str) -> list[int]:
    """Numbers of the texts that are `name` in one of its spellings."""
    spelt = set(spellings_of(name))
    return [
      k
      for k, x in enumerate(self.texts)
      if not spelt.isdisjoint(spellings_of(x))
    ]

  def _id(self, text):
    if text is None or text.lower() in self._missing:
      return -1
    if text not in self._ids:
      if self._where and len(text) > LONGEST:
        raise errors.UserError(
          f"{self._where}: '{errors.brief(text)}' has {len(text):,} "
          f'characters; names are read up to {LONGEST}.'
        )
      self._ids[text] = len(self.texts)
      self.texts.append(text)
    return self._ids[text]


class Studies:
  """Which study of the cohort a row is of."""

  def __init__(self, study: np.ndarray, count: int):
    self._names = study
    self._cohort = {x: i for i, x in enumerate(study.tolist())}
    self._parts = [Names(tables.MISSING) for _ in range(count)]
    self._ids: dict[tuple[int, ...], int] = {}
    self._place: list[int] = []  # In the cohort, by number; -1 for none.

  def add(
    self, columns: Sequence[row_cells.Texts]
  ) -> tuple[np.ndarray, list[np.ndarray]]:
    """(r,) int32 numbers of names, and per column (r,) bool: it is blank.

    A name of which a part is blank has the number -1.
    """
    parts = [x.add(c) for x, c in zip(self._parts, columns, strict=True)]
    blank = [x < 0 for x in parts]
    whole = ~np.logical_or.reduce(blank)
    ids, names = parts[0][whole], [(k,) for k in range(len(self._parts[0]))]
    for part in parts[1:]:
      width = int(part.max(initial=0)) + 1
      keys = ids.astype(np.int64) * width + part[whole]
      keys, ids = np.unique(keys, return_inverse=True)
      names = [(*names[k // width], k % width) for k in keys.tolist()]
    own = np.full(len(names), -1, np.int32)
    for k in np.flatnonzero(np.bincount(ids, minlength=len(names))):
      own[k] = self._id(names[k])
    out = np.full(len(whole), -1, np.int32)
    out[whole] = own[ids]
    return out, blank

  def places(self, ids: np.ndarray) -> np.ndarray:
    """(r,) int32 studies of the cohort that may be meant, -1 for none."""
    return np.array([*self._place, -1], np.int32)[ids]

  def _id(self, parts):
    if parts not in self._ids:
      self._ids[parts] = len(self._ids)
      spelt = itertools.product(*map(spellings_of, self._texts(parts)))
      found = (self._cohort.get('/'.join(x), -1) for x in spelt)
      self._place.append(next((x for x in found if x >= 0), -1))
    return self._ids[parts]

  def _texts(self, parts) -> list[str]:
    return [n.texts[k] for n, k in zip(self._parts, parts, strict=True)]

  def known(self) -> np.ndarray:
    """(d,) bool by number: the name, as a column spells it, is the cohort's.

    Only now is it known whether a column holds nothing but whole numbers.
    """
    spelt = []
    for names in self._parts:
      cells = np.array(names.texts, object)
      spelt.append(spellings.unify_identifiers(cells).tolist())
    out = np.zeros(len(self._ids) + 1, bool)
    for parts, k in self._ids.items():
      if self._place[k] >= 0:
        one = '/'.join(x[i] for x, i in zip(spelt, parts, strict=True))
        written = '/'.join(self._texts(parts))
        out[k] = {one, written} & self._cohort.keys() != set()
    return out

  def others(self) -> list[str]:
    """Names that are not the cohort's."""
    known = self.known()
    return [
      '/'.join(self._texts(parts))
      for parts, k in self._ids.items()
      if not known[k]
    ]

  def say_alike(
    self, found: np.ndarray, findings: tables.Findings, columns: Sequence[str]
  ) -> None:
    """Warns of names, not the cohort's, that are written like one of it.

    Args:
      found: studies of the cohort that have rows.
      findings: where the warning goes.
      columns: that hold the names.
    """
    lacks = np.ones(len(self._names), bool)
    lacks[found] = False
    lacking = self._names[lacks].tolist()
    lacking = {identifiers.folded(x): x for x in lacking}
    others = self.others()[:_FOLDED] if lacking else []
    folded = map(identifiers.folded, others)
    alike = [
      (x, lacking[y])
      for x, y in zip(others, folded, strict=True)
      if y in lacking
    ]
    if not alike:
      return
    shown, own = identifiers.quoted(alike[0])
    rest = f' ({len(alike):,} studies in all)' if len(alike) > 1 else ''
    findings.warn(
      f'rows of study {shown} are ignored, but it is written like {own} of '
      f'the cohort but for {identifiers.FOLDED}{rest}: if they are one, write '
      'them alike.',
      column='/'.join(columns),
    )


def spellings_of(text: str) -> tuple[str, ...]:
  """A name as it is written, and as a column of whole numbers spells it."""
  other = spellings.unify(np.array([text], object))[0]
  return (text,) if other == text else (text, other)
