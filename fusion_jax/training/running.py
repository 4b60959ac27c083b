"""A fleet on the devices while it trains."""

import time
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import jax
import numpy as np

from fusion_jax.parallel import strategy as strategies
from fusion_jax.training import batches, fleet
from fusion_jax.training import feed as feeds


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
    self._run: Any = None
    self.compile_seconds = 0.0
    self.sizes: list[int] = []

  def shapes(self) -> Any:
    """Shapes of the states of all members."""
    padded = jax.eval_shape(
      self._programs.initialise,
      self._numbers,
      self._resident,
      self._feed.first(),
    )
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((self._members, *x.shape[1:]), x.dtype),
      padded,
    )

  def start(self) -> None:
    """Compiles, and draws the first states."""
    first = self._feed.first()
    begun = time.perf_counter()
    # Side by side, since compiling a program keeps about one core busy.
    with futures.ThreadPoolExecutor() as pool:
      starting = pool.submit(
        self._strategy.compile,
        self._programs.initialise,
        self._numbers,
        self._resident,
        first,
      )
      shapes = jax.eval_shape(
        self._programs.initialise, self._numbers, self._resident, first
      )
      running = pool.submit(self._compiled, shapes)
      initialise, self._run = starting.result(), running.result()
    self.compile_seconds += time.perf_counter() - begun
    self._states = initialise(self._numbers, self._resident, first)

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
    self._run = self._compiled(self._states)
    self.compile_seconds += time.perf_counter() - begun

  def _compiled(self, states):
    plan = self._feed.epoch(1, self.places)
    self.sizes.append(len(self.places))
    return self._strategy.compile(
      self._programs.epoch, states, self._resident, plan, donate=True
    )

  def epoch(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trains epoch `number`.

    Returns, by member, training loss, validation loss and whether it has
    stopped; losses are NaN where it had before.
    """
    plan = self._feed.epoch(number, self.places)
    self._states, losses = self._run(self._states, self._resident, plan)
    train, valid = (np.full(self._members, np.nan) for _ in range(2))
    for place, k in self._own():
      train[k], valid[k] = (float(x[place]) for x in map(np.asarray, losses))
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
    self._run = self._compiled(self._states)
    self.compile_seconds += time.perf_counter() - begun

  def host(self) -> Any:
    """Host states of all members, those that left included."""
    host = jax.device_get(self._states)
    one = dict(self._left)
    for place, k in self._own():
      one[k] = jax.tree.map(lambda x, place=place: x[place], host)
    return jax.tree.map(fleet.stacked, *(one[k] for k in range(self._members)))


def padded(items: Sequence[Any], multiple: int) -> list[Any]:
  """`items`, the last one repeated until there is a multiple of them."""
  items = list(items)
  return items + [items[-1]] * (-len(items) % multiple)
