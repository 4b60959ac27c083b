"""A fleet on disk between two epochs, so that a killed fit goes on.

A folder holds the latest state alone: what the next epoch starts from, and with
it each member's variables at its best epoch so far. The order of rows and all
random numbers follow from seeds and the number of the epoch, so that a fit that
goes on ends as one that was never stopped.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import shutil
import time
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

_FACTS = 'facts.json'
_TREE = 'tree'
_NEW = '.new'


@dataclasses.dataclass(frozen=True)
class Progress:
  """A fleet after an epoch.

  Attributes:
    states: host arrays of all members.
    places: the member in each place of the program that trains them: a program
      of another size would round otherwise.
    epoch: its number.
    history: by member and epoch, training and validation loss.
  """

  states: Any
  places: Sequence[int]
  epoch: int
  history: list[list[tuple[float, float]]]


def fingerprint(*parts: Any) -> str:
  """Of everything that a fit follows from; arrays count by their content."""
  digest = hashlib.sha256()
  for part in parts:
    for leaf in jax.tree.leaves(part, is_leaf=lambda x: x is None):
      if isinstance(leaf, np.ndarray):
        digest.update(f'{leaf.dtype}{leaf.shape}'.encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
      else:
        digest.update(repr(leaf).encode())
      digest.update(b'\0')
  return digest.hexdigest()


class Saver:
  """Keeps the latest progress of one fit in a folder of its own."""

  def __init__(
    self,
    folder: str | os.PathLike,
    *,
    key: str,
    epochs: int,
    minutes: float,
  ):
    """Saves every `epochs` epochs and every `minutes`, either 0 for never.

    `key` is the fit's fingerprint: what another fit left is not used.
    """
    self._folder = pathlib.Path(folder).absolute()
    self._key = key
    self._epochs = epochs
    self._seconds = 60 * minutes
    self._last = time.monotonic()

  def due(self, epoch: int) -> bool:
    """Whether the state after `epoch` should be saved."""
    if self._epochs and epoch % self._epochs == 0:
      return True
    waited = time.monotonic() - self._last
    return bool(self._seconds) and waited >= self._seconds

  def save(self, progress: Progress) -> None:
    """Replaces what was saved; a process that is killed here loses neither."""
    self._last = time.monotonic()
    try:
      self._write(progress)
    except (OSError, ValueError):
      # A full disk, which Orbax reports as a ValueError. The fit needs none of
      # it: it goes on, and what was saved before is still there.
      shutil.rmtree(self._folder / _NEW, ignore_errors=True)

  def _write(self, progress: Progress) -> None:
    new = self._folder / _NEW
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    leaves = [_plain(x) for x in jax.tree.leaves(progress.states)]
    # By number: Orbax needs none of the states' own classes to read them back,
    # and refuses arrays without elements.
    stored = {str(k): x for k, x in enumerate(leaves) if x.size}
    ocp.save(new / _TREE, stored)
    facts = {
      'key': self._key,
      'content': fingerprint(leaves),
      'places': list(progress.places),
      'epoch': progress.epoch,
      'history': progress.history,
    }
    (new / _FACTS).write_text(json.dumps(facts), encoding='utf-8')
    os.replace(new, self._folder / str(progress.epoch))
    for epoch in self._saved():
      if epoch != progress.epoch:
        shutil.rmtree(self._folder / str(epoch), ignore_errors=True)

  def load(self, like: Any) -> Progress | None:
    """The latest progress of this very fit, if there is a whole one.

    Args:
      like: shapes of the states, or states.
    """
    for epoch in sorted(self._saved(), reverse=True):
      try:
        return self._read(self._folder / str(epoch), like)
      except Exception:
        # Whatever is wrong with it, the fit can start anew.
        continue
    return None

  def _saved(self) -> Sequence[int]:
    if not self._folder.is_dir():
      return ()
    return [int(x.name) for x in self._folder.iterdir() if x.name.isdigit()]

  def _read(self, path, like):
    facts = json.loads((path / _FACTS).read_text(encoding='utf-8'))
    if facts['key'] != self._key:
      raise ValueError('of another fit')
    stored = ocp.load(path / _TREE)
    leaves, tree = jax.tree.flatten(like)
    shapes = [jax.eval_shape(_plain_jax, x) for x in leaves]
    found = [
      np.asarray(stored[str(k)]) if x.size else np.zeros(x.shape, x.dtype)
      for k, x in enumerate(shapes)
    ]
    if fingerprint(found) != facts['content']:
      raise ValueError('damaged')
    states = tree.unflatten(
      _like(x, leaf) for x, leaf in zip(found, leaves, strict=True)
    )
    history = [[tuple(x) for x in h] for h in facts['history']]
    return Progress(states, facts['places'], facts['epoch'], history)


def _is_key(x) -> bool:
  return jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)


def _plain_jax(x):
  return jax.random.key_data(x) if _is_key(x) else x


def _plain(x) -> np.ndarray:
  return np.asarray(_plain_jax(x))


def _like(x: np.ndarray, leaf):
  return jax.random.wrap_key_data(x) if _is_key(leaf) else x
