"""Cells of a simulation: seeded runs, tallied in chunks that are kept."""

import concurrent.futures
import concurrent.futures.process
import dataclasses
import hashlib
import json
import math
import multiprocessing
import pathlib
import signal
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import threadpoolctl

from fusion_jax.core import errors, files

SETTINGS = 'settings.json'
_CHUNK = 50
_ROOT = pathlib.Path(__file__).resolve().parents[3]
# What decides an outcome; chunks of other versions are never mixed in.
SOURCES = (
  'experiments/studies/calibration/cells.py',
  'experiments/studies/calibration/end_to_end.py',
  'experiments/studies/calibration/former.py',
  'experiments/studies/calibration/intervals.py',
  'experiments/studies/calibration/scores.py',
  'fusion_jax/evaluation/bounds.py',
  'fusion_jax/evaluation/comparison.py',
  'fusion_jax/evaluation/delong.py',
  'fusion_jax/evaluation/families.py',
  'fusion_jax/evaluation/ranking.py',
  'fusion_jax/evaluation/resampling.py',
  'fusion_jax/evaluation/verdict.py',
)

TIED = (0.80, 0.80)
UNEQUAL = (0.80, 0.65)
FOUR_TIED = (0.80, 0.80, 0.80, 0.80)


@dataclasses.dataclass(frozen=True)
class Cell:
  """One setting of the simulated world.

  Attributes:
    part: what is simulated (a key of the functions given to `run`).
    k: number of fusion arms.
    n: studies tested (scores) or in the cohort (end to end).
    per_patient: studies of each patient.
    gain: true gain in AUROC of the first fusion arm over the best single
      modality; the others have none.
    every: whether all fusion arms have that gain.
    singles: true AUROCs of the single-modality arms (scores only).
    folds: test parts that the studies are divided into (scores only).
    seeds: models of every arm, whose scores differ (scores only).
    twins: whether the last two fusion arms differ from the first single arm
      in 1 and 3 studies (scores only).
    events: studies with the event, exactly; 0 to draw them.
    factor: of standard errors, where models are trained in folds.
  """

  part: str
  k: int
  n: int
  per_patient: int
  gain: float = 0.0
  every: bool = False
  singles: tuple[float, ...] = TIED
  folds: int = 1
  seeds: int = 1
  twins: bool = False
  events: int = 0
  factor: float = 1.0

  @property
  def world(self) -> str:
    """What is generated; the same for all parts, so that they are paired."""
    name = f'k{self.k}-n{self.n}-p{self.per_patient}-g{self.gain:g}'
    name += (
      'every' * self.every + '-s' + '-'.join(f'{x:g}' for x in self.singles)
    )
    name += f'-f{self.folds}' * (self.folds > 1)
    name += f'-m{self.seeds}' * (self.seeds > 1) + '-twins' * self.twins
    return name + f'-e{self.events}' * (self.events > 0)

  @property
  def name(self) -> str:
    name = f'{self.part}-{self.world}'
    return name + f'-x{self.factor:g}' * (self.factor != 1)

  def rng(self, seed: int, run: int) -> np.random.Generator:
    """Of one run, whatever else has run."""
    return np.random.default_rng([seed, zlib.crc32(self.world.encode()), run])


@dataclasses.dataclass(frozen=True)
class Settings:
  """What all cells of a folder share."""

  seed: int = 0
  replicates: int = 500

  def __post_init__(self):
    if self.seed < 0:
      raise errors.UserError(f'--seed={self.seed}: expected 0 or more.')
    if self.replicates < 100:
      raise errors.UserError(
        f'--replicates={self.replicates}: a verdict needs at least 100.'
      )


@dataclasses.dataclass(frozen=True)
class Tally:
  """The sum of an outcome over the `runs` in which it is defined."""

  runs: int = 0
  total: float = 0.0

  def add(self, value: float) -> 'Tally':
    """With one more run; a NaN is left out."""
    return self if math.isnan(value) else self + Tally(1, value)

  def __add__(self, other: 'Tally') -> 'Tally':
    return Tally(self.runs + other.runs, self.total + other.total)

  @property
  def mean(self) -> float:
    return self.total / self.runs if self.runs else math.nan


# From a cell, the settings and a run's number to outcomes by name.
Simulate = Callable[[Cell, Settings, int], Mapping[str, float]]


def run(
  cells: Sequence[Cell],
  functions: Mapping[str, Simulate],
  *,
  runs: int,
  settings: Settings,
  folder: pathlib.Path,
  workers: int = 1,
  sources: Sequence[str] = SOURCES,
  on_chunk: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> dict[str, dict[str, Any]]:
  """Runs every cell `runs` times, or takes what is there from before.

  A run is seeded by its number, so more runs continue what fewer began.

  Args:
    cells: in the order of the result.
    functions: by part; module-level, so that processes can be given them.
    runs: of each cell.
    settings: of the folder.
    folder: where finished chunks are kept, each written at once.
    workers: processes; 1 for this one.
    sources: files that decide an outcome, from the checkout's root.
    on_chunk: told the cell and how many of all chunks are done.

  Returns:
    By cell name {'cell', 'seconds', 'tallies': by outcome, Tally}.

  Raises:
    UserError: if the folder holds runs of other settings or cannot be used.
  """
  if runs < 1:
    raise errors.UserError(f'--runs={runs}: expected 1 or more.')
  if workers < 1:
    raise errors.UserError(f'--workers={workers}: expected 1 or more.')
  _claim(folder, settings, sources)
  chunks, missing = {}, []
  for cell in cells:
    for start in range(0, runs, _CHUNK):
      key = cell, start, min(start + _CHUNK, runs)
      chunks[key] = _load(_path(folder, *key))
      if chunks[key] is None:
        missing.append(key)
  # The dear ones first, or the last of them is waited for alone.
  missing.sort(key=lambda key: -key[0].n * (key[0].k + 2))
  done = len(chunks) - len(missing)
  jobs = [(functions[key[0].part], *key, settings) for key in missing]
  for key, chunk in _finished(missing, jobs, workers):
    _save(_path(folder, *key), chunk)
    chunks[key] = chunk
    done += 1
    on_chunk(key[0].name, done, len(chunks))
  return {cell.name: _merge(cell, chunks) for cell in cells}


def _finished(keys, jobs, workers):
  """(key, chunk) pairs as they come in."""
  if workers == 1 or not jobs:
    for key, job in zip(keys, jobs, strict=True):
      yield key, _simulate(*job)
    return
  # Forking a process that has loaded jax is not safe.
  pool = concurrent.futures.ProcessPoolExecutor(
    workers, multiprocessing.get_context('spawn'), _die_silently
  )
  try:
    pending = {
      pool.submit(_simulate, *job): key
      for key, job in zip(keys, jobs, strict=True)
    }
    for future in concurrent.futures.as_completed(pending):
      yield pending[future], future.result()
  except concurrent.futures.process.BrokenProcessPool:
    raise errors.UserError(
      'A process was killed, perhaps for want of memory: the same command, '
      'with fewer --workers, goes on where it stopped.'
    ) from None
  finally:
    pool.shutdown(wait=False, cancel_futures=True)


def _die_silently() -> None:
  """Lets an interrupt end a worker without a word; the parent has one."""
  signal.signal(signal.SIGINT, signal.SIG_DFL)


def _simulate(function, cell, start, stop, settings) -> dict[str, Any]:
  began = time.perf_counter()
  tallies: dict[str, Tally] = {}
  with threadpoolctl.threadpool_limits(1):
    for number in range(start, stop):
      for name, value in function(cell, settings, number).items():
        tallies[name] = tallies.get(name, Tally()).add(float(value))
  return {'seconds': time.perf_counter() - began, 'tallies': tallies}


def _merge(cell, chunks) -> dict[str, Any]:
  tallies: dict[str, Tally] = {}
  seconds = 0.0
  for (owner, _, _), chunk in chunks.items():
    if owner == cell:
      seconds += chunk['seconds']
      for name, tally in chunk['tallies'].items():
        tallies[name] = tallies.get(name, Tally()) + tally
  return {'cell': cell, 'seconds': seconds, 'tallies': tallies}


def _path(folder, cell, start, stop) -> pathlib.Path:
  return folder / 'chunks' / cell.name / f'{start}-{stop}.json'


def _claim(
  folder: pathlib.Path, settings: Settings, sources: Sequence[str]
) -> None:
  """Makes the folder, or sees that it holds runs of the same settings."""
  source = hashlib.sha256()
  for name in sources:
    source.update((_ROOT / name).read_bytes())
  wanted = {**dataclasses.asdict(settings), 'source': source.hexdigest()[:16]}
  path = folder / SETTINGS
  try:
    folder.mkdir(parents=True, exist_ok=True)
    found = json.loads(path.read_text()) if path.is_file() else None
  except (OSError, ValueError) as e:
    reason = getattr(e, 'strerror', None) or 'it holds no settings'
    raise errors.UserError(f"'{path}' cannot be used: {reason}.") from None
  if found is None:
    _write(path, wanted)
    return
  for name, value in wanted.items():
    if found.get(name) != value:
      raise errors.UserError(
        f"'{folder}' holds runs with {name} = {found.get(name)}, not {value}: "
        'give another --out.'
      )


def _load(path: pathlib.Path) -> dict[str, Any] | None:
  try:
    found = json.loads(path.read_text())
    tallies = {k: Tally(*v) for k, v in found['tallies'].items()}
    return {'seconds': found['seconds'], 'tallies': tallies}
  except FileNotFoundError:
    return None
  except (OSError, ValueError, KeyError, TypeError):
    raise errors.UserError(
      f"'{path}' is no finished chunk of runs: remove it and run this again."
    ) from None


def _save(path: pathlib.Path, chunk) -> None:
  path.parent.mkdir(parents=True, exist_ok=True)
  tallies = {k: dataclasses.astuple(v) for k, v in chunk['tallies'].items()}
  _write(path, {'seconds': chunk['seconds'], 'tallies': tallies})


def _write(path, content) -> None:
  with files.saving(path) as part:
    part.write_text(json.dumps(content) + '\n', encoding='utf-8')
