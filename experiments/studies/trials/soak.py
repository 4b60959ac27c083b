"""Runs that are killed at random moments, most of them inside training.

A run that is resumed after any number of kills must come to what one comes to
that nobody disturbs.
"""

import collections
import dataclasses
import multiprocessing
import os
import pathlib
import shutil
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing import connection
from typing import Any

import numpy as np
import rich.console

from experiments.studies.trials import small
from fusion_jax.ablation import progress as progress_lib
from fusion_jax.launch import interrupts
from fusion_jax.parallel import cache

# Of the moments, those inside the training of a neural arm.
_TRAINING = 0.8
# What a moment waits for, and what a killed process was last heard to do.
EPOCH, START, END, EVALUATE, FINISHED = (
  'epoch',
  'start',
  'end',
  'evaluate',
  'finished',
)
_SIGNALS = (signal.SIGKILL, signal.SIGTERM)
# Exit codes of a process that a signal ended, at once or as the launchers do.
_CODES = {signal.SIGKILL: {-9}, signal.SIGTERM: {-15, 143}}
# No trial's process takes longer.
_PATIENCE = 600.0


@dataclasses.dataclass(frozen=True)
class Moment:
  """When a process is killed: some time after an event, or after its start.

  Attributes:
    event: EPOCH, or '' for the start of the process.
    arm: whose epoch.
    number: of the epoch; the training begins with 0.
    seconds: later.
    signal: which one.
  """

  event: str
  arm: str
  number: int
  seconds: float
  signal: signal.Signals


@dataclasses.dataclass(frozen=True)
class Kill:
  """One process that was to be killed.

  Attributes:
    signal: the signal's name.
    during: what it was last heard to do; FINISHED if it came to its end first.
    code: how it ended.
  """

  signal: str
  during: str
  code: int


@dataclasses.dataclass(frozen=True)
class Folder:
  """What became of one run folder.

  Attributes:
    number: of the folder.
    kills: of the processes before the last.
    differs: names of what is not as in a run that nobody disturbed.
    trouble: how the last process failed; empty if it did not.
  """

  number: int
  kills: tuple[Kill, ...]
  differs: tuple[str, ...]
  trouble: str


class _Told(progress_lib.Progress):
  """Tells another process what a run is doing."""

  def __init__(self, end: connection.Connection):
    super().__init__(rich.console.Console(quiet=True))
    self._end = end

  def start(self, arm):
    super().start(arm)
    self._end.send((EPOCH if arm in small.NEURAL else START, arm, 0))

  def epoch(self, arm, epoch, epochs, loss):
    super().epoch(arm, epoch, epochs, loss)
    self._end.send((EPOCH, arm, epoch))

  def end(self, arm, failure=''):
    super().end(arm, failure)
    self._end.send((END, arm, 0))

  def message(self, text):
    if text == 'Evaluating':
      self._end.send((EVALUATE, '', 0))


def _child(folder: str, end: connection.Connection) -> None:
  """Runs to the end, or until a signal, as the launcher does."""
  cache.keep_compiled_programs()
  try:
    interrupts.raise_exception()
    small.run(pathlib.Path(folder), _Told(end))
  except KeyboardInterrupt as e:
    # What is written to a console is of no interest here.
    os._exit(128 + interrupts.signal_of(e))
  end.send((FINISHED, '', 0))


def _context() -> Any:
  """Starts processes that have imported everything, and nothing else."""
  found = multiprocessing.get_context('forkserver')
  found.set_forkserver_preload([__name__])
  return found


def disturb(folder: pathlib.Path, moment: Moment | None) -> tuple[str, int]:
  """Makes or resumes the run in a process that is killed at a moment.

  Args:
    folder: of the run.
    moment: None to let it come to its end.

  Returns:
    What it was last heard to do, and its exit code.
  """
  context = _context()
  here, there = context.Pipe(duplex=False)
  process = context.Process(target=_child, args=(str(folder), there))
  process.start()
  there.close()
  last, due = '', None
  ends = time.monotonic() + _PATIENCE
  if moment and not moment.event:
    due = time.monotonic() + moment.seconds
  while time.monotonic() < ends:
    now = time.monotonic()
    if due is not None and now >= due:
      os.kill(process.pid, moment.signal)
      due = None
    try:
      if here.poll(0.2 if due is None else max(0.0, due - now)):
        event, arm, number = here.recv()
        last = event if event not in (EPOCH, START) else f'{event} {arm}'
        if event == EPOCH:
          last = f'training of {arm}'
        hit = moment and (event, arm, number) == (
          moment.event,
          moment.arm,
          moment.number,
        )
        if hit:
          due = time.monotonic() + moment.seconds
    except EOFError:
      break
  process.join(max(0.0, ends - time.monotonic()))
  if process.is_alive():
    process.kill()
    process.join()
    return f'{last}, no end within {_PATIENCE:.0f} s', process.exitcode
  return last, process.exitcode


def moments(
  rng: np.random.Generator, count: int, *, whole: float
) -> list[Moment]:
  """Random moments, in the order of the arms that they wait for.

  Args:
    rng: of all that is random.
    count: how many.
    whole: seconds that an undisturbed run takes.
  """
  found = []
  for _ in range(count):
    number = _SIGNALS[rng.integers(len(_SIGNALS))]
    if rng.random() < _TRAINING:
      arm = small.NEURAL[rng.integers(len(small.NEURAL))]
      epoch = int(rng.integers(small.EPOCHS))
      # The programs are made before the first epoch.
      longest = 0.1 * whole if not epoch else 0.02
      found.append(
        Moment(EPOCH, arm, epoch, float(rng.uniform(0, longest)), number)
      )
    else:
      found.append(Moment('', '', 0, float(rng.uniform(0, whole)), number))
  order = ('', *small.NEURAL)
  return sorted(found, key=lambda x: order.index(x.arm))


def run(
  place: pathlib.Path,
  *,
  folders: int,
  kills: int,
  seed: int,
  until: float = float('inf'),
  on_folder: Callable[[Folder], None] = lambda folder: None,
) -> list[Folder]:
  """Kills and resumes runs.

  Args:
    place: where they are; those that come to what they should are removed.
    folders: how many runs.
    kills: of each.
    seed: of the moments.
    until: `time.time()` after which no other run is begun.
    on_folder: told of each run.

  Raises:
    RuntimeError: if an undisturbed run fails.
  """
  whole = place / 'whole'
  _finish(whole)
  shutil.rmtree(whole)
  # Again, now that the programs are compiled: how long it takes.
  started = time.monotonic()
  _finish(whole)
  seconds = time.monotonic() - started
  expected = small.results(whole)
  found = []
  for number in range(folders):
    if time.time() > until:
      break
    path = place / f'{number:03d}'
    rng = np.random.default_rng([seed, number])
    done = []
    for moment in moments(rng, kills, whole=seconds):
      during, code = disturb(path, moment)
      done.append(Kill(moment.signal.name, during, code))
    trouble, differs = '', ()
    try:
      _finish(path)
      after = small.results(path)
      differs = tuple(
        name
        for name in sorted({*after, *expected})
        if after.get(name) != expected.get(name)
      )
    except RuntimeError as e:
      trouble = str(e)
    folder = Folder(number, tuple(done), differs, trouble)
    if not (differs or trouble):
      shutil.rmtree(path)
    found.append(folder)
    on_folder(folder)
  return found


def _finish(folder: pathlib.Path) -> None:
  during, code = disturb(folder, None)
  if code or during != FINISHED:
    raise RuntimeError(f'Exit code {code}, last heard: {during}.')


def unexpected(folder: Folder) -> list[str]:
  """What is wrong with a folder, one line each."""
  found = []
  for kill in folder.kills:
    legal = _CODES[signal.Signals[kill.signal]]
    if kill.during != FINISHED and kill.code not in legal:
      found.append(f'{kill.signal} during {kill.during}: code {kill.code}')
    if kill.during == FINISHED and kill.code and kill.code not in legal:
      found.append(f'finished with code {kill.code}')
  if folder.differs:
    found.append(f'differs: {", ".join(folder.differs)}')
  if folder.trouble:
    found.append(folder.trouble)
  return found


def counts(folders: Sequence[Folder]) -> dict[str, dict[str, int]]:
  """By what a process was doing, how often each signal ended it."""
  found: dict[str, collections.Counter] = {}
  for folder in folders:
    for kill in folder.kills:
      during = kill.during or 'before it began'
      found.setdefault(during, collections.Counter())[kill.signal] += 1
  return {k: dict(x) for k, x in sorted(found.items())}
