"""Models that are fed from the host, segment by segment.

What `running.Running` does with a cohort that lies on the devices is done here
with windows of it, which are read ahead while the devices work. The programs
are the same, and so are rows, their order and all random numbers: on a CPU the
results are those of the resident cohort to the last bit.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import numpy as np

from fusion_jax.parallel import strategy as strategies
from fusion_jax.training import batches, fleet, running
from fusion_jax.training import feed as feeds

# Segments that are read ahead, and how many at a time.
_AHEAD = 2
_THREADS = 2
# A segment is as many batches as are about so large: many small ones cost few
# calls, and a few large ones little memory.
_BYTES = 16 << 20

# The source that a window is of, and its (1, s, b) plan, start and count.
_Job = tuple[int, batches.RowPlan, int, int]


def _batches_of(resident: batches.Resident, source: int, width: int) -> int:
  """How many batches of `width` a segment has at most."""
  one = batches.windows(resident, source, np.zeros((1, 1), np.int32))
  size = sum(x.nbytes for x in jax.tree.leaves(one))
  return max(1, _BYTES // (size * width))


def _placed(
  window: batches.Resident, strategy: strategies.Strategy
) -> batches.Resident:
  """Windows on the devices, each batch cut over them."""
  sourced = {
    name: strategy.place_cut(x, None)
    for name, x in window.sourced.items()
    if name != 'parts'
  }
  sourced['parts'] = {
    m: {
      name: strategy.place_cut(x, 2 if name in batches.BY_STUDY else None)
      for name, x in part.items()
    }
    for m, part in window.sourced['parts'].items()
  }
  shared = strategy.place_cut(window.shared, 1)
  return window.replace(shared=shared, sourced=sourced)


def _fed(window, job: _Job, strategy):
  """A segment and its plan, on the devices."""
  _, plan, start, count = job
  return (
    fleet.Segment(_placed(window, strategy), np.int32(start), np.int32(count)),
    strategy.place_cut(plan, 2),
  )


def _read(resident: batches.Resident, job: _Job) -> batches.Resident:
  source, plan, *_ = job
  return batches.windows(resident, source, plan.rows[0])


def stream(
  resident: batches.Resident,
  jobs: Sequence[_Job],
  strategy: strategies.Strategy,
) -> Iterator[tuple[fleet.Segment, batches.RowPlan]]:
  """Segments and their plans on the devices, read ahead by threads.

  Args:
    resident: arrays of the host, which may be mapped from files.
    jobs: what to read, in order.
    strategy: how a batch is cut over devices.
  """
  import grain  # That it is there was checked with the strategy.

  # Grain keeps the order whatever thread is first.
  windows = (
    grain.MapDataset.range(len(jobs))
    .map(lambda k: _read(resident, jobs[k]))
    .to_iter_dataset(
      grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=_AHEAD)
    )
  )
  for window, job in zip(windows, jobs, strict=True):
    yield _fed(window, job, strategy)


class Loop:
  """Members of a fleet, each trained by itself; see `running.Running`.

  Attributes:
    compile_seconds: spent so far.
    sizes: members of each program: one.
    places: all members.
  """

  sizes = (1,)

  def __init__(
    self,
    *,
    programs: fleet.Programs,
    strategy: strategies.Strategy,
    feed: feeds.Feed,
    resident: batches.Resident,
    numbers: dict[str, np.ndarray],
    members: int,
  ):
    """Of `members` members, of whom `numbers` hold what differs."""
    self._programs = programs
    self._strategy = strategy
    self._feed = feed
    self._resident = resident
    self._numbers = numbers
    self._members = members
    self._sources = [int(k) for k in numbers['source']]
    self.compile_seconds = 0.0
    self.places = list(range(members))
    self._states: list[Any] = []
    self._valid = feed.valid(self.places)
    widths = [x.rows.shape[2] for x in (feed.first(), self._valid)]
    most = [_batches_of(resident, self._sources[0], w) for w in widths]
    self._length = feed.length(most[0])
    self._valid_length = feeds.even(self._valid.rows.shape[1], most[1])

  def _initial(self, k):
    """Arguments of the program that draws a member's first state."""
    numbers = jax.tree.map(lambda x: x[k : k + 1], self._numbers)
    plan = jax.tree.map(lambda x: x[k : k + 1], self._feed.first())
    return numbers, *self._now((self._sources[k], plan, 0, 1))

  def _now(self, job: _Job):
    return _fed(_read(self._resident, job), job, self._strategy)

  def shapes(self) -> Any:
    """Shapes of the states of all members."""
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((self._members, *x.shape[1:]), x.dtype),
      jax.eval_shape(self._programs.initialise, *self._initial(0)),
    )

  def start(self, init: Any = None) -> None:
    """Compiles, and draws the first states; see `running.Running.start`."""
    if init is not None:
      self._numbers = running.started(self._numbers, init)
    begun = time.perf_counter()
    initialise = self._strategy.compile(
      self._programs.initialise, *self._initial(0)
    )
    self.compile_seconds += time.perf_counter() - begun
    self._states = [initialise(*self._initial(k)) for k in range(self._members)]
    self._compile()

  def restore(self, states: Any, places: Sequence[int]) -> None:
    """Goes on from host states of all members."""
    del places
    self._states = [
      self._strategy.place_members(
        jax.tree.map(lambda x, k=k: x[k : k + 1], states)
      )
      for k in range(self._members)
    ]
    self._compile()

  def _compile(self) -> None:
    begun = time.perf_counter()
    train = feeds.part(self._feed.train(1, [0]), 0, 1, self._length)
    segment, train = self._now((self._sources[0], train, 0, 1))
    whole = self._plan_of(0)
    valid = feeds.part(whole, 0, 1, self._valid_length)
    valid_segment, valid = self._now((self._sources[0], valid, 0, 1))
    self._programs_of = running.compiled(
      self._programs,
      self._strategy,
      self._states[0],
      segment=segment,
      train=train,
      valid_segment=valid_segment,
      valid=valid,
      whole=whole,
    )
    self.compile_seconds += time.perf_counter() - begun

  def _plan_of(self, k) -> batches.RowPlan:
    """A member's (1, s, b) validation batches, as many as any member's."""
    return jax.tree.map(lambda x: x[k : k + 1], self._valid)

  def train(self, number: int, start: int = 0) -> Iterator[int]:
    """Trains epoch `number` from its step `start` on.

    Yields how many steps of it are done, once every member that has not stopped
    has had a segment. The devices may still be at work on the last.
    """
    going = np.flatnonzero(~self.stopped())
    plans = {k: self._feed.train(number, [k]) for k in going}
    parts = self._feed.cuts(number, self._length, start)
    turns = [
      (k, at, count)
      for at, count in parts
      for k in going
      # Members have epochs of different lengths.
      if at < self._feed.steps[k]
    ]
    jobs = [
      (
        self._sources[k],
        feeds.part(plans[k], at, count, self._length),
        at,
        count,
      )
      for k, at, count in turns
    ]
    fed = zip(turns, stream(self._resident, jobs, self._strategy), strict=True)
    waiting = next(fed, None)
    before = None
    for at, count in parts:
      while waiting and waiting[0][1] == at:
        (k, *_), (segment, plan) = waiting
        self._states[k], taken = self._programs_of.train(
          self._states[k], segment, plan
        )
        # The next one is read and placed while the devices work.
        waiting = next(fed, None)
        jax.block_until_ready(before)
        before = taken
      yield at + count

  def judge(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends an epoch.

    Returns, by member, training loss, validation loss and whether it has
    stopped; losses are NaN where it had before.
    """
    train, valid = (np.full(self._members, np.nan) for _ in range(2))
    for k in np.flatnonzero(~self.stopped()):
      train[k], valid[k] = self._judge(k)
    return train, valid, self.stopped()

  def _judge(self, k) -> tuple[float, float]:
    whole = self._plan_of(k)
    found = _applied(
      self._programs_of.evaluate,
      self._states[k].applied,
      self._resident,
      self._sources[k],
      whole,
      length=self._valid_length,
      strategy=self._strategy,
    )
    self._states[k], losses = self._programs_of.judge(
      self._states[k], (), (whole, found)
    )
    return tuple(float(x[0]) for x in jax.device_get(losses))

  def stopped(self) -> np.ndarray:
    """By member, whether it has stopped."""
    return np.array([bool(s.stopped[0]) for s in self._states])

  def compact(self) -> None:
    """Nothing: a member that has stopped is fed no more."""

  def host(self) -> Any:
    """Host states of all members."""
    return jax.tree.map(
      fleet.joined, *(jax.device_get(s) for s in self._states)
    )


def _applied(run, member, resident, source, plan, *, length, strategy):
  """What `run` gives for all batches of a (1, s, b) plan, on the host."""
  jobs = [
    (source, feeds.part(plan, at, count, length), at, count)
    for at, count in feeds.cuts(plan.rows.shape[1], length)
  ]
  found = [
    run(member, segment, part)
    for segment, part in stream(resident, jobs, strategy)
  ]

  def one(*x):
    x = [np.asarray(y)[:, : j[3]] for y, j in zip(x, jobs, strict=True)]
    return np.concatenate(x, axis=1)  # (1, s, b, ...)

  return jax.tree.map(one, *found)


def apply(
  program: Any,
  *,
  strategy: strategies.Strategy,
  resident: batches.Resident,
  variables: Any,
  sources: Any,
  rows: Any,
) -> list[np.ndarray]:
  """What a program of studies gives for each model's own rows.

  Args:
    program: `fleet.Programs.predict` or one like it.
    strategy: how a batch is cut over devices.
    resident: arrays of the host.
    variables: of each model.
    sources: of each model.
    rows: of each model.

  Returns:
    For each model, (len(rows), ...).
  """
  plans = [
    feeds.evaluation_plan([at], [np.ones(len(at))], strategy.batch_multiple)
    for at in rows
  ]
  width = plans[0].rows.shape[2]
  most = _batches_of(resident, sources[0], width)
  length = feeds.even(max(p.rows.shape[1] for p in plans), most)
  run: Any = None
  out = []
  for own, source, plan, at in zip(
    variables, sources, plans, rows, strict=True
  ):
    member = {
      'variables': jax.tree.map(lambda x: np.asarray(x)[None], own),
      'source': np.array([source], np.int32),
    }
    member = strategy.place_members(member)
    if run is None:
      job = (source, feeds.part(plan, 0, 1, length), 0, 1)
      first = _fed(_read(resident, job), job, strategy)
      run = strategy.compile(program, member, *first, per_study=True)
    found = _applied(
      run, member, resident, source, plan, length=length, strategy=strategy
    )
    out.append(found.reshape(-1, found.shape[-1])[: len(at)])
  return out
