"""A run folder: what is finished is there as a whole, or not at all.

  config.json          the resolved configuration
  splits.csv           study ids of every part
  nodes/<key>/         node.json, arrays.npz and, for models, model/
  log.jsonl            one line per event
  models.json          keys of the models that count, by arm
  predictions.parquet, summary.json, curves.json, report.html

A node is written beside its place and renamed into it, so a process killed at
any moment leaves finished nodes and nothing that looks like one.
"""

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from fusion_jax.ablation import config as config_lib
from fusion_jax.core import config as core_config
from fusion_jax.core import errors, files

CONFIG = 'config.json'
SPLITS = 'splits.csv'
PREDICTIONS = 'predictions.parquet'
SUMMARY = 'summary.json'
MODELS = 'models.json'
CURVES = 'curves.json'
ROBUSTNESS = 'robustness.json'
LOG = 'log.jsonl'

_NODES = 'nodes'
_RECORD = 'node.json'
_ARRAYS = 'arrays.npz'
_MODEL = 'model'
_LOCK = '.lock'
_UNFINISHED = '.unfinished-'
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclasses.dataclass(frozen=True)
class Result:
  """A finished node.

  Attributes:
    record: facts about it.
    arrays: by name; see runner.py.
  """

  record: Mapping[str, Any]
  arrays: Mapping[str, np.ndarray]


class Store:
  """One run folder."""

  def __init__(self, path: str | os.PathLike):
    self.path = pathlib.Path(path)
    self._nodes = self.path / _NODES

  @contextlib.contextmanager
  def open(self, config: config_lib.ExperimentConfig) -> Iterator[None]:
    """Makes or reopens the folder for `config`; no other process may.

    Raises:
      UserError: if the folder belongs to another configuration, holds other
        files, cannot be written or is in use.
    """
    self.check(config)
    make_folder(self._nodes)
    with self.alone():
      for rest in self._nodes.glob(f'{_UNFINISHED}*'):
        shutil.rmtree(rest)
      for rest in files.unfinished(self.path):
        rest.unlink()
      self.write_json(CONFIG, core_config.to_dict(config))
      yield

  @contextlib.contextmanager
  def alone(self) -> Iterator[None]:
    """Keeps other processes out of a folder that is there.

    Raises:
      UserError: if it cannot be written or is in use.
    """
    with self._explained(), self._locked():
      yield

  def check(self, config: config_lib.ExperimentConfig) -> None:
    """Checks that `open` would not refuse `config`; changes nothing.

    Raises:
      UserError: if the folder belongs to another configuration or holds other
        files.
    """
    saved = self.saved_config()
    if saved is None:
      return
    difference = config_lib.first_difference(saved, config)
    if difference:
      raise errors.UserError(
        f"'{self.path}' is the run of another configuration: {difference}. "
        'Give another --out, or the same settings.'
      )

  def saved_config(self) -> dict[str, Any] | None:
    """What config.json holds; None where there is no run yet.

    Raises:
      UserError: if it cannot be read, or the folder holds other files.
    """
    path = self.path / CONFIG
    if path.is_file():
      try:
        return json.loads(path.read_text(encoding='utf-8'))
      except ValueError as e:
        raise errors.UserError(f"'{path}' is not JSON: {e}.") from None
    if self.path.exists() and not self.path.is_dir():
      raise errors.UserError(f"'{self.path}' is a file, not a run folder.")
    # A process may have been killed before it had written the first file.
    ours = {_NODES, _LOCK}
    ours.update(x.name for x in files.unfinished(self.path, CONFIG))
    if self.path.is_dir() and {x.name for x in self.path.iterdir()} - ours:
      raise errors.UserError(
        f"'{self.path}' holds files but no {CONFIG}: it is not a run folder. "
        'Give a new or empty folder as --out.'
      )
    return None

  @contextlib.contextmanager
  def _locked(self) -> Iterator[None]:
    with open(self.path / _LOCK, 'a+', encoding='utf-8') as lock:
      try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      except BlockingIOError:
        lock.seek(0)
        raise errors.UserError(
          f"'{self.path}' is in use by process {lock.read().strip() or '?'}: "
          'wait for it, or give another --out.'
        ) from None
      lock.truncate(0)
      lock.write(str(os.getpid()))
      lock.flush()
      yield

  @contextlib.contextmanager
  def _explained(self) -> Iterator[None]:
    """A full disk or a forbidden folder as one line."""
    try:
      yield
    except (OSError, ValueError) as e:
      # Orbax reports the system's errors as ValueErrors with their text.
      full = isinstance(e, OSError) and e.errno in _FULL
      if full or os.strerror(errno.ENOSPC) in str(e):
        raise errors.UserError(
          f"The disk that holds '{self.path}' is full. Finished nodes are "
          'kept: free some space and run the same command again.'
        ) from None
      if isinstance(e, PermissionError | NotADirectoryError):
        raise errors.UserError(
          f"'{e.filename or self.path}' cannot be written: {e.strerror}."
        ) from None
      raise

  def has(self, key: str) -> bool:
    """Whether the node is finished."""
    return (self._nodes / key / _RECORD).is_file()

  def record(self, key: str) -> dict[str, Any]:
    """Facts about a finished node."""
    return json.loads((self._nodes / key / _RECORD).read_text('utf-8'))

  def read(self, key: str) -> Result:
    """A finished node."""
    folder = self._nodes / key
    with np.load(folder / _ARRAYS, allow_pickle=False) as f:
      arrays = {name: f[name] for name in f.files}
    return Result(self.record(key), arrays)

  def model_folder(self, key: str) -> pathlib.Path:
    """Where a node's model is."""
    return self._nodes / key / _MODEL

  def write(
    self,
    key: str,
    *,
    record: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    save_model: Callable[[pathlib.Path], None] | None = None,
  ) -> None:
    """Lands a node.

    Args:
      key: of the node.
      record: JSON-ready facts.
      arrays: by name.
      save_model: writes the model into the folder it is given, which does not
        exist yet.

    Raises:
      UserError: if the disk is full.
    """
    unfinished = self._nodes / f'{_UNFINISHED}{key}'
    with self._explained():
      try:
        unfinished.mkdir()
        if save_model:
          save_model(unfinished / _MODEL)
        with open(unfinished / _ARRAYS, 'wb') as f:
          np.savez(f, **arrays)
        (unfinished / _RECORD).write_text(
          json.dumps(record, indent=1, sort_keys=True), encoding='utf-8'
        )
        for file in unfinished.rglob('*'):
          _sync(file)
        os.replace(unfinished, self._nodes / key)
        _sync(self._nodes)
      except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise

  def write_json(self, name: str, value: Any) -> None:
    """Writes a file of the run folder at once and complete."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + '\n'
    self.write_text(name, text)

  def read_json(self, name: str) -> dict[str, Any]:
    """What `write_json` wrote; {} if there is no such file."""
    path = self.path / name
    return json.loads(path.read_text('utf-8')) if path.is_file() else {}

  def write_text(self, name: str, text: str) -> None:
    """Likewise."""
    with self._explained(), files.replacing(self.path / name) as part:
      part.write_text(text, encoding='utf-8')

  def log(self, event: str, **facts: Any) -> None:
    """Appends one line to the log."""
    line = {'time': round(time.time(), 3), 'event': event, **facts}
    with self._explained():
      flags = os.O_CREAT | os.O_APPEND | os.O_WRONLY
      handle = os.open(self.path / LOG, flags, files.PRIVATE)
      with open(handle, 'a', encoding='utf-8') as f:
        f.write(json.dumps(line) + '\n')


def make_folder(path: pathlib.Path) -> None:
  """Makes a folder and those it is in.

  Raises:
    UserError: if that cannot be done.
  """
  try:
    path.mkdir(parents=True, exist_ok=True)
  except OSError as e:
    raise errors.UserError(
      f"The folder '{path}' cannot be made: {e.strerror}."
    ) from None


def _sync(path: pathlib.Path) -> None:
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)
