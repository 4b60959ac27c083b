"""Models that are fed from the host, batch by batch.

What `running.Running` does in one compiled program an epoch, for cohorts that
lie on the devices, is here a loop in the open: read a batch, take a step. Rows,
their order and all random numbers are the same. Results agree to about 1e-6 of
the parameters rather than to the last bit, because a step that is compiled
alone is fused differently from one inside a loop.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.core import errors
from fusion_jax.parallel import strategy as strategies
from fusion_jax.training import batches, fleet
from fusion_jax.training import feed as feeds

# Batches that are read ahead, and how many at a time.
_AHEAD = 8
_THREADS = 4


def stream(
  resident: batches.Resident,
  source: int,
  plan: batches.RowPlan,
  strategy: strategies.Strategy,
) -> Iterator[tuple[batches.Resident, batches.RowPlan]]:
  """Batches of a (s, b) plan on the devices, read ahead by threads.

  Args:
    resident: arrays of the host, which may be mapped from files.
    source: which of its sources they are seen by.
    plan: the rows of each batch.
    strategy: how a batch is cut over devices.

  Raises:
    MissingPackageError: without Grain.
  """
  try:
    import grain
  except ImportError:
    raise errors.MissingPackageError(
      "parallel.feed='stream'", 'grain', extra='stream'
    ) from None

  def read(k):
    return batches.window(resident, source, plan.rows[k])

  # Grain keeps the order whatever thread is first.
  windows = (
    grain.MapDataset.range(len(plan.rows))
    .map(read)
    .to_iter_dataset(
      grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=_AHEAD)
    )
  )
  for k, window in enumerate(windows):
    sourced = {
      name: strategy.place_cut(x, None)
      for name, x in window.sourced.items()
      if name != 'parts'
    }
    sourced['parts'] = {
      m: {
        name: strategy.place_cut(x, 1 if name in batches.BY_STUDY else None)
        for name, x in part.items()
      }
      for m, part in window.sourced['parts'].items()
    }
    shared = strategy.place_cut(window.shared, 0)
    rows = jax.tree.map(lambda x, k=k: x[k], plan)
    yield (
      window.replace(shared=shared, sourced=sourced),
      strategy.place_cut(rows, 0),
    )


class Loop:
  """Members of a fleet, each trained by itself; see `running.Running`.

  Attributes:
    compile_seconds: 0, since programs are compiled as they are first used.
    sizes: members of each program: one.
    places: all members.
  """

  compile_seconds = 0.0
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
    self._strategy = strategy
    self._feed = feed
    self._resident = resident
    self._numbers = numbers
    self._members = members
    self._sources = [int(k) for k in numbers['source']]
    self.places = list(range(members))
    self._states: list[Any] = []
    # A window holds the one source that its member sees.
    self._start = jax.jit(
      lambda *args: jax.tree.map(lambda x: x[0], programs.initialise(*args))
    )
    # The state is overwritten: at no time are there two of it.
    self._advance = jax.jit(
      lambda carry, *args: programs.advance(carry, 0, *args), donate_argnums=0
    )
    self._logits = jax.jit(
      lambda variables, *args: programs.logits(variables, 0, *args)
    )
    self._valid_loss = jax.jit(programs.valid_loss)
    self._judge = jax.jit(programs.judge)

  def _stream(self, k, plan):
    one = jax.tree.map(lambda x: x[0], plan)  # (s, b)
    return stream(self._resident, self._sources[k], one, self._strategy)

  def _initial(self, k):
    """Arguments of the program that draws a member's first state."""
    rows = jax.tree.map(lambda x: x[k, :1], self._feed.first())  # (1, b)
    window = batches.window(self._resident, self._sources[k], rows.rows[0])
    numbers = {name: x[k : k + 1] for name, x in self._numbers.items()}
    plan = jax.tree.map(lambda x: x[None], rows)  # (1, 1, b)
    return numbers, window, plan

  def shapes(self) -> Any:
    """Shapes of the states of all members."""
    return jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((self._members, *x.shape), x.dtype),
      jax.eval_shape(self._start, *self._initial(0)),
    )

  def start(self) -> None:
    """Draws the first states."""
    for k in range(self._members):
      self._place(self._start(*self._initial(k)))

  def restore(self, states: Any, places: Sequence[int]) -> None:
    """Goes on from host states of all members."""
    del places
    for k in range(self._members):
      self._place(jax.tree.map(lambda x, k=k: x[k], states))

  def _place(self, state):
    self._states.append(self._strategy.place_members(state, stacked=False))

  def epoch(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Trains epoch `number` of all members that have not stopped.

    Returns, by member, training loss, validation loss and whether it has
    stopped; losses are NaN where it had before.
    """
    train, valid = (np.full(self._members, np.nan) for _ in range(2))
    for k in np.flatnonzero(~self.stopped()):
      train[k], valid[k] = self._epoch(k, self._feed.epoch(number, [k]))
    return train, valid, self.stopped()

  def _epoch(self, k, plan):
    state = self._states[k]
    sums = tuple(jnp.zeros((), jnp.float32) for _ in range(2))
    carry = (state.train, state.failed_step, sums)
    for window, rows in self._stream(k, plan.train):
      carry = self._advance(carry, window, rows)
    train, failed, (loss, weight) = carry
    state = state.replace(train=train, failed_step=failed)
    found = [
      self._logits(train.used, window, rows)
      for window, rows in self._stream(k, plan.valid)
    ]
    stacked = (jnp.stack(x) for x in zip(*found, strict=True))
    rows = jax.tree.map(lambda x: x[0], plan.valid)
    valid = self._valid_loss(*stacked, rows)
    self._states[k] = self._judge(state, valid)
    return float(loss / jnp.maximum(weight, 1e-6)), float(valid)

  def stopped(self) -> np.ndarray:
    """By member, whether it has stopped."""
    return np.array([bool(s.stopped) for s in self._states])

  def compact(self) -> None:
    """Nothing: a member that has stopped is fed no more."""

  def host(self) -> Any:
    """Host states of all members."""
    return jax.tree.map(
      fleet.stacked, *(jax.device_get(s) for s in self._states)
    )


def apply(
  one: Any,
  *,
  strategy: strategies.Strategy,
  resident: batches.Resident,
  variables: Any,
  sources: Any,
  rows: Any,
) -> list[np.ndarray]:
  """What a program of one batch gives for each model's own rows.

  Args:
    one: (variables, source, resident, plan) -> (b, ...).
    strategy: how a batch is cut over devices.
    resident: arrays of the host.
    variables: of each model.
    sources: of each model.
    rows: of each model.

  Returns:
    For each model, (len(rows), ...).
  """
  run = jax.jit(lambda variables, *args: one(variables, 0, *args))
  out = []
  for own, source, at in zip(variables, sources, rows, strict=True):
    plan = feeds.evaluation_plan(
      [at], [np.ones(len(at))], strategy.batch_multiple
    )
    plan = jax.tree.map(lambda x: x[0], plan)  # (s, b)
    placed = strategy.place_cut(own, None)
    found = [
      np.asarray(run(placed, window, part))
      for window, part in stream(resident, source, plan, strategy)
    ]
    out.append(np.concatenate(found)[: len(at)])
  return out
