"""A fleet on the devices while it trains."""

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any

import jax
import numpy as np

from fusion_jax.parallel import strategy as strategies
from fusion_jax.training import batches, fleet
from fusion_jax.training import feed as feeds


@dataclasses.dataclass(frozen=True)
class Compiled:
  """The compiled programs of an epoch; see those of `fleet.Programs`."""

  train: Callable[..., Any]
  evaluate: Callable[..., Any]
  judge: Callable[..., Any]


def compiled(
  programs: fleet.Programs,
  strategy: strategies.Strategy,
  states: Any,
  *,
  segment: fleet.Segment,
  train: batches.RowPlan,
  valid_segment: fleet.Segment,
  valid: batches.RowPlan,
  whole: batches.RowPlan,
) -> Compiled:
  """Compiles the programs of an epoch, side by side.

  Args:
    programs: what is compiled.
    strategy: for which devices.
    states: of the members, or their shapes.
    segment: of training batches.
    train: their plan.
    valid_segment: of validation batches.
    valid: their plan.
    whole: the plan of all validation batches.
  """
  found = jax.eval_shape(
    programs.evaluate, states.applied, valid_segment, whole
  )
  compile_ = strategy.compile
  with futures.ThreadPoolExecutor() as pool:
    waiting = (
      pool.submit(
        compile_, programs.train, states, segment, train, donate=True
      ),
      pool.submit(
        compile_,
        programs.evaluate,
        states.applied,
        valid_segment,
        valid,
        per_study=True,
      ),
      pool.submit(
        compile_, programs.judge, states, (), (whole, found), donate=True
      ),
    )
    return Compiled(*(x.result() for x in waiting))


class Running:
  """The states of members that still train, and of those that left.

  Under vmap all members of a program compute until the last one stops: what is
  a branch for one member is a selection for many. Members that have stopped
  are therefore taken from the devices between two epochs, and the rest go on
  in a smaller program. That is done only once the program can be half as
  large, so that a fleet of m members is compiled log2(m) times at most.
  Members that are mapped one after the other skip what they need not do.

  Attributes:
    compile_seconds: spent so far.
    sizes: members of each program that trained them, in turn.
    places: the member in each place on the devices; copies fill the last up.
  """

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
    """Of `members` members; `numbers` and `feed` may hold copies beyond."""
    self._programs = programs
    self._strategy = strategy
    self._feed = feed
    self._resident = resident
    self._numbers = numbers
    self._members = members
    self.places = list(range(len(numbers['seed'])))
    self._left: dict[int, Any] = {}
    self._states: Any = None
    self.compile_seconds = 0.0
    self.sizes: list[int] = []

  def _segment(self, start: int = 0, count: int = 1) -> fleet.Segment:
    return fleet.Segment(self._resident, np.int32(start), np.int32(count))

  def _shapes(self):
    return jax.eval_shape(
      self._programs.initialise,
      self._numbers,
      self._segment(),
      self._feed.first(),
    )

  def shapes(self) -> Any:
    """Shapes of the states of all members."""
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((self._members, *x.shape[1:]), x.dtype),
      self._shapes(),
    )

  def start(self, init: Any = None) -> None:
    """Compiles, and draws the first states.

    Args:
      init: variables to start from instead, by collection and module.
    """
    if init is not None:
      self._numbers = started(self._numbers, init)
    first = (self._numbers, self._segment(), self._feed.first())
    begun = time.perf_counter()
    # Side by side, since compiling a program keeps about one core busy.
    with futures.ThreadPoolExecutor() as pool:
      starting = pool.submit(
        self._strategy.compile, self._programs.initialise, *first
      )
      self._compile(self._shapes())
      initialise = starting.result()
    self.compile_seconds += time.perf_counter() - begun
    self._states = initialise(*first)

  def restore(self, states: Any, places: Sequence[int]) -> None:
    """Goes on from host states of all members, those in `places` training."""
    self.places = list(places)
    self._left = {
      k: jax.tree.map(lambda x, k=k: x[k], states)
      for k in set(range(self._members)) - set(places)
    }
    # Copies are of the last member.
    rows = np.minimum(self.places, self._members - 1)
    self._states = self._strategy.place_members(
      jax.tree.map(lambda x: x[rows], states)
    )
    begun = time.perf_counter()
    self._compile(self._states)
    self.compile_seconds += time.perf_counter() - begun

  def _compile(self, states) -> None:
    """The programs of the members that are on the devices."""
    self._length = self._feed.length()
    self._valid = self._feed.valid(self.places)
    self.sizes.append(len(self.places))
    train = feeds.part(self._feed.train(1, self.places), 0, 1, self._length)
    self._programs_of = compiled(
      self._programs,
      self._strategy,
      states,
      segment=self._segment(),
      train=train,
      valid_segment=self._segment(),
      valid=self._valid,
      whole=self._valid,
    )

  def train(self, number: int, start: int = 0) -> Iterator[int]:
    """Trains epoch `number` from its step `start` on.

    Yields how many steps of it are done, after every segment. The devices may
    still be at work on it, but no longer on the one before.
    """
    plan = self._feed.train(number, self.places)
    before = None
    for at, count in self._feed.cuts(number, self._length, start):
      part = feeds.part(plan, at, count, self._length)
      self._states, taken = self._programs_of.train(
        self._states, self._segment(at, count), part
      )
      jax.block_until_ready(before)
      before = taken
      yield at + count

  def judge(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Ends an epoch.

    Returns, by member, training loss, validation loss and whether it has
    stopped; losses are NaN where it had before.
    """
    segment = self._segment(0, self._valid.rows.shape[1])
    found = self._programs_of.evaluate(
      self._states.applied, segment, self._valid
    )
    self._states, losses = self._programs_of.judge(
      self._states, (), (self._valid, found)
    )
    train, valid = (np.full(self._members, np.nan) for _ in range(2))
    losses = jax.device_get(losses)
    for place, k in self._own():
      train[k], valid[k] = (float(x[place]) for x in losses)
    return train, valid, self.stopped()

  def _own(self) -> list[tuple[int, int]]:
    """(place, member) pairs without the copies that fill up."""
    first: dict[int, int] = {}
    for place, k in enumerate(self.places):
      if k < self._members:
        first.setdefault(k, place)
    return [(place, k) for k, place in first.items()]

  def stopped(self) -> np.ndarray:
    """By member, whether it has stopped."""
    found = np.ones(self._members, bool)
    flags = np.asarray(self._states.stopped)
    for place, k in self._own():
      found[k] = flags[place]
    return found

  def compact(self) -> None:
    """Takes stopped members from the devices where that saves much."""
    if self._strategy.fleet != 'vmap':
      return
    stopped = self.stopped()
    going = [(place, k) for place, k in self._own() if not stopped[k]]
    multiple = self._strategy.member_multiple
    size = feeds.round_up(len(going), multiple)
    if not going or 2 * size > len(self.places):
      return
    host = jax.device_get(self._states)
    self._left |= {
      k: jax.tree.map(lambda x, place=place: x[place], host)
      for place, k in self._own()
      if stopped[k]
    }
    going += [going[-1]] * (size - len(going))
    rows = np.array([place for place, _ in going])
    self.places = [k for _, k in going]
    self._states = self._strategy.place_members(
      jax.tree.map(lambda x: x[rows], host)
    )
    begun = time.perf_counter()
    self._compile(self._states)
    self.compile_seconds += time.perf_counter() - begun

  def host(self) -> Any:
    """Host states of all members, those that left included."""
    host = jax.device_get(self._states)
    one = dict(self._left)
    for place, k in self._own():
      one[k] = jax.tree.map(lambda x, place=place: x[place], host)
    return jax.tree.map(fleet.stacked, *(one[k] for k in range(self._members)))


def started(numbers: dict[str, Any], init: Any) -> dict[str, Any]:
  """What differs between members, with the variables that all start from."""
  count = len(numbers['seed'])
  same = jax.tree.map(lambda x: np.broadcast_to(x, (count, *x.shape)), init)
  return {**numbers, fleet.INIT: same}


def padded(items: Sequence[Any], multiple: int) -> list[Any]:
  """`items`, the last one repeated until there is a multiple of them."""
  items = list(items)
  return items + [items[-1]] * (-len(items) % multiple)
