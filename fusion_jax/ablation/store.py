"""A run folder: what is finished is there as a whole, or not at all.

  config.json          the resolved configuration
  splits.csv           study ids of every part
  nodes/<key>/         node.json, arrays.npz, checksums.json and, for models,
                       model/
  log.jsonl            one line per event
  models.json          keys of the models that count, by arm
  predictions.parquet, summary.json, curves.json, report.html
  checksums.json       of the files above, once the run is finished

A node is written beside its place and renamed into it, so a process killed at
any moment leaves finished nodes and nothing that looks like one. What is read
again is held against its checksum first.
"""

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import pathlib
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from fusion_jax.ablation import checksums, own_files
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import saved as saved_lib
from fusion_jax.core import commands, errors, files

CONFIG = saved_lib.CONFIG
SPLITS = 'splits.csv'
PREDICTIONS = 'predictions.parquet'
SUMMARY = 'summary.json'
MODELS = 'models.json'
CURVES = 'curves.json'
ROBUSTNESS = 'robustness.json'
FOOTPRINT = 'footprint.json'
LOG = 'log.jsonl'
CHECKSUMS = checksums.NAME
# What a finished run has, and what is made of it afterwards rests on.
FINISHED = (CONFIG, SPLITS, MODELS, PREDICTIONS, SUMMARY, CURVES)

_NODES = 'nodes'
_RECORD = 'node.json'
_ARRAYS = 'arrays.npz'
_MODEL = 'model'
_LOCK = '.lock'
_UNFINISHED = '.unfinished-'
_SEALED = (*FINISHED, ROBUSTNESS, FOOTPRINT)
# Of whose checksums those of a run folder are.
_RUN = 'run'
_KEY = re.compile(r'[A-Za-z0-9_-]{1,64}')
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


class ExtendedError(Exception):
  """Another process has asked for more in the folder since it was looked at."""


class Store:
  """One run folder."""

  def __init__(self, path: str | os.PathLike):
    self.path = pathlib.Path(path)
    self._nodes = self.path / _NODES
    # By node that was looked at, what is wrong with it; empty if nothing is.
    self._faults: dict[str, str] = {}
    # By file of the folder, what was wrong with it when it was opened.
    self._damaged: dict[str, str] = {}

  @contextlib.contextmanager
  def open(self, config: config_lib.ExperimentConfig) -> Iterator[None]:
    """Makes or reopens the folder for `config`; no other process may.

    The folder counts as unfinished from here until `seal`.

    Raises:
      UserError: if the folder belongs to another configuration, holds other
        files, cannot be written or is in use.
      ExtendedError: if the folder was asked for more than `config` says.
    """
    self.check(config)
    make_folder(self._nodes)
    with self.alone():
      # It may have changed while this process did not hold it.
      self.check(config)
      saved = self.saved_config()
      if saved is not None and config_lib.extended(saved, config) != config:
        raise ExtendedError
      for rest in self._nodes.glob(f'{_UNFINISHED}*'):
        _remove(rest)
      for rest in files.unfinished(self.path):
        rest.unlink()
      self.unseal()
      self.write_json(CONFIG, saved_lib.to_json(config))
      yield

  @contextlib.contextmanager
  def alone(self) -> Iterator[None]:
    """Keeps other processes out of a folder that is there.

    Raises:
      UserError: if it cannot be written, is in use or leads elsewhere.
    """
    with self._explained(), self._locked():
      for entry in sorted(self.path.iterdir()):
        own_files.refuse_link(entry)
      self._damaged = self.faults()
      self._faults.clear()
      yield

  def seal(self) -> None:
    """Says that the run is finished, by the checksums of its files."""
    names = [x for x in _SEALED if (self.path / x).is_file()]
    with self._explained():
      checksums.write(self.path, _RUN, names)

  def unseal(self) -> None:
    """Says that files of the run are being changed."""
    with self._explained():
      (self.path / checksums.NAME).unlink(missing_ok=True)

  def faults(self) -> dict[str, str]:
    """By file that is not as it was when the run was finished, what is wrong.

    Empty for a run that is not finished.
    """
    if not os.path.lexists(self.path / checksums.NAME):
      return {}
    return checksums.faults(self.path, _RUN)

  def damages(self) -> dict[str, str]:
    """By file, a line about what was wrong when the folder was opened."""
    return {
      name: f"'{self.path / name}' {trouble}"
      for name, trouble in self._damaged.items()
    }

  def check(self, config: config_lib.ExperimentConfig) -> None:
    """Checks that `open` would not refuse `config`; changes nothing.

    Raises:
      UserError: if the folder belongs to another configuration or holds other
        files.
    """
    saved = self.saved_config()
    if saved is None:
      return
    difference = config_lib.first_difference(
      saved, config
    ) or config_lib.redefined(saved, config)
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
    if os.path.lexists(path):
      trouble = self.faults().get(CONFIG)
      if trouble:
        raise errors.UserError(
          f"'{path}' {trouble}. Put back a copy of it, or make the run anew "
          'with another --out.'
        )
      saved = saved_lib.current(
        own_files.read_object(path), where=str(path), folder=self.path
      )
      config_lib.check_saved(saved, where=str(path))
      saved_lib.check_imports(saved.get('imports', ()), self.path)
      return saved
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
    with own_files.opened(self.path / _LOCK, 'r+') as lock:
      try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      except BlockingIOError:
        lock.seek(0)
        raise errors.UserError(
          f"'{self.path}' is in use by process {lock.read().strip() or '?'}: "
          'wait for it, or give another --out.'
        ) from None
      lock.seek(0)
      lock.truncate()
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
      if isinstance(
        e, PermissionError | NotADirectoryError | IsADirectoryError
      ):
        raise errors.UserError(
          f"'{e.filename or self.path}' cannot be written: {e.strerror}."
        ) from None
      raise

  def has(self, key: str) -> bool:
    """Whether the node is finished and as it was written."""
    return self._folder(key).is_dir() and not self.fault(key)

  def fault(self, key: str) -> str:
    """What is wrong with a node that is there or should be; '' if nothing."""
    folder = self._folder(key)
    if key not in self._faults:
      self._faults[key] = _fault(folder, key)
    return self._faults[key]

  def mend(self) -> list[str]:
    """Removes nodes that are damaged; returns a line about each."""
    found = []
    for folder in sorted(self._nodes.iterdir()):
      if _KEY.fullmatch(folder.name) and self.fault(folder.name):
        found.append(self.fault(folder.name))
        self._discard(folder)
    return found

  def _discard(self, folder: pathlib.Path) -> None:
    with self._explained():
      _remove(folder)
    self._faults.pop(folder.name)

  def record(self, key: str) -> dict[str, Any]:
    """Facts about a finished node.

    Raises:
      UserError: if it is damaged or is not there.
    """
    return own_files.read_object(self._whole(key) / _RECORD)

  def read(self, key: str) -> Result:
    """A finished node.

    Raises:
      UserError: if it is damaged or is not there.
    """
    with np.load(self._whole(key) / _ARRAYS, allow_pickle=False) as f:
      arrays = {name: f[name] for name in f.files}
    return Result(self.record(key), arrays)

  def model_folder(self, key: str) -> pathlib.Path:
    """Where a node's model is.

    Raises:
      UserError: if the node is damaged or is not there.
    """
    return self._whole(key) / _MODEL

  def _folder(self, key: str) -> pathlib.Path:
    if not isinstance(key, str) or not _KEY.fullmatch(key):
      raise errors.UserError(
        f"'{self.path / MODELS}' names the node {key!r}, which is the name of "
        f'none. {self.again()}'
      )
    return self._nodes / key

  def _whole(self, key: str) -> pathlib.Path:
    fault = self.fault(key)
    if fault:
      raise errors.UserError(f'{fault}. {self.again()}')
    return self._folder(key)

  def again(self) -> str:
    """The command that makes again what is damaged or lacks, as a sentence."""
    command = commands.line(
      'ablate', f'--config={self.path / CONFIG}', f'--out={self.path}'
    )
    return f'To make it again: {command}'

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
        checksums.write(unfinished, key)
        for file in unfinished.rglob('*'):
          _sync(file)
        os.replace(unfinished, self._folder(key))
        _sync(self._nodes)
        self._faults.pop(key, None)
      except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise

  def write_json(self, name: str, value: Any) -> None:
    """Writes a file of the run folder at once and complete."""
    text = json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + '\n'
    self.write_text(name, text)

  def read_json(self, name: str) -> dict[str, Any]:
    """What `write_json` wrote; {} if there is no such file.

    Raises:
      UserError: if it is damaged.
    """
    path = self.path / name
    if not os.path.lexists(path):
      return {}
    if name in self._damaged:
      raise errors.UserError(f"'{path}' {self._damaged[name]}.")
    return own_files.read_object(path)

  def write_text(self, name: str, text: str) -> None:
    """Likewise."""
    with self._explained(), files.replacing(self.path / name) as part:
      part.write_text(text, encoding='utf-8')

  def log(self, event: str, **facts: Any) -> None:
    """Appends one line to the log."""
    line = {'time': round(time.time(), 3), 'event': event, **facts}
    with self._explained():
      with own_files.opened(self.path / LOG, 'a') as f:
        f.write(json.dumps(line) + '\n')

  def last_logged(self, event: str) -> dict[str, Any]:
    """The facts of the last such line of the log; {} if there is none.

    Lines that cannot be read, as a killed process may leave, are passed over.
    """
    path = self.path / LOG
    if path.is_symlink() or not path.is_file():
      return {}
    lines = path.read_text(encoding='utf-8', errors='replace').splitlines()
    for line in reversed(lines):
      try:
        found = json.loads(line)
      except (ValueError, RecursionError):
        continue
      if isinstance(found, dict) and found.get('event') == event:
        return found
    return {}


def _fault(folder: pathlib.Path, key: str) -> str:
  """What is wrong with the node in a folder, naming the file; '' if nothing."""
  if folder.is_symlink() or not folder.is_dir():
    lost = 'is not there' if not os.path.lexists(folder) else 'is no folder'
    return f"The node '{folder}' {lost}"
  for name, trouble in checksums.faults(folder, key).items():
    return f"'{folder / name}' {trouble}"
  for name in checksums.strangers(folder):
    return f"'{folder / name}' is no file of the node it lies in"
  return ''


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


def _remove(path: pathlib.Path) -> None:
  """Removes a folder, a file or a link, never what a link names."""
  if path.is_symlink() or not path.is_dir():
    path.unlink()
  else:
    shutil.rmtree(path)


def _sync(path: pathlib.Path) -> None:
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)
