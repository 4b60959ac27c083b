"""A fleet on disk between two segments, so that a killed fit goes on.

A folder holds the latest state alone: what the next step starts from, and with
it each member's variables at its best epoch so far. The order of rows and all
random numbers follow from seeds, the number of the epoch and that of the step,
so that a fit that goes on ends as one that was never stopped.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

_FACTS = 'facts.json'
_TREE = 'tree'
_NEW = '.new'
# Epochs done, and steps of the next one.
_NAME = re.compile(r'\d+(-\d+)?')


class _OtherFitError(Exception):
  """What is there belongs to another fit."""


@dataclasses.dataclass(frozen=True)
class Progress:
  """A fleet between two steps.

  Attributes:
    states: host arrays of all members.
    places: the member in each place of the program that trains them: a program
      of another size would round otherwise.
    epoch: epochs done.
    history: by member and epoch, training and validation loss.
    step: steps done of the next epoch.
  """

  states: Any
  places: Sequence[int]
  epoch: int
  history: list[list[tuple[float, float]]]
  step: int = 0

  @property
  def name(self) -> str:
    """Of its folder."""
    return f'{self.epoch}-{self.step}' if self.step else str(self.epoch)


def fingerprint(*parts: Any) -> str:
  """Of everything that a fit follows from; arrays count by their content."""
  digest = hashlib.sha256()
  for part in parts:
    for leaf in jax.tree.leaves(part, is_leaf=lambda x: x is None):
      if isinstance(leaf, np.ndarray):
        digest.update(f'{leaf.dtype}{leaf.shape}'.encode())
        # Without a copy: some are mapped from files and larger than memory.
        digest.update(np.ascontiguousarray(leaf).reshape(-1).view(np.uint8))
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
    epochs: int = 0,
    steps: int = 0,
    minutes: float = 0.0,
    tell: Callable[[str], None] | None = None,
  ):
    """Saves every so many epochs, steps and minutes, each 0 for never.

    `key` is the fit's fingerprint: what another fit left is not used. `tell`
    is given a line about progress that cannot be used.
    """
    self._folder = pathlib.Path(folder).absolute()
    self._key = key
    self._epochs = epochs
    self._steps = steps
    self._seconds = 60 * minutes
    self._tell = tell or (lambda line: None)
    self._last = time.monotonic()

  def due(self, *, steps: int, epoch: int = 0) -> bool:
    """Whether the state after so many steps of all epochs should be saved.

    `epoch` is the number of the epoch that they end; 0 inside one.
    """
    if self._epochs and epoch and epoch % self._epochs == 0:
      return True
    if self._steps and steps % self._steps == 0:
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
      'step': progress.step,
    }
    (new / _FACTS).write_text(json.dumps(facts), encoding='utf-8')
    own = self._folder / progress.name
    # One that could not be used may be there.
    shutil.rmtree(own, ignore_errors=True)
    os.replace(new, own)
    for path in self._saved():
      if path != own:
        shutil.rmtree(path, ignore_errors=True)

  def load(self, like: Any) -> Progress | None:
    """The latest progress of this very fit, if there is a whole one.

    Args:
      like: shapes of the states, or states.
    """
    for path in self._saved():
      try:
        return self._read(path, like)
      except _OtherFitError:
        continue
      except Exception:
        # Whatever is wrong with it, the fit can start anew.
        self._tell(
          f"The progress in '{path}' is damaged and not used: training starts "
          'from an earlier one, or anew.'
        )
    return None

  def _saved(self) -> Sequence[pathlib.Path]:
    """Folders of progress, the latest first."""
    if not self._folder.is_dir():
      return ()
    found = [x for x in self._folder.iterdir() if _NAME.fullmatch(x.name)]
    return sorted(
      found, key=lambda x: [int(n) for n in x.name.split('-')], reverse=True
    )

  def _read(self, path, like):
    facts = json.loads((path / _FACTS).read_text(encoding='utf-8'))
    if facts['key'] != self._key:
      raise _OtherFitError
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
    return Progress(
      states, facts['places'], facts['epoch'], history, facts['step']
    )


def _is_key(x) -> bool:
  return jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)


def _plain_jax(x):
  return jax.random.key_data(x) if _is_key(x) else x


def _plain(x) -> np.ndarray:
  return np.asarray(_plain_jax(x))


def _like(x: np.ndarray, leaf):
  return jax.random.wrap_key_data(x) if _is_key(leaf) else x
