"""What a running ablation shows: one line per arm, or plain lines."""

import dataclasses
import math
import time

import rich.console
import rich.live
import rich.table
import rich.text

_REFRESH = 4  # times a second
# Seconds between two plain lines about the epochs of one arm.
_PLAIN_SECONDS = 15.0

WAITING = 'waiting'
RUNNING = 'running'
DONE = 'done'
FAILED = 'failed'

_STYLES = {WAITING: 'dim', RUNNING: 'cyan', DONE: 'green', FAILED: 'red'}


@dataclasses.dataclass
class _Line:
  total: int
  done: int = 0
  found: int = 0
  state: str = WAITING
  epoch: int = 0
  epochs: int = 0
  loss: float = math.nan
  started: float = 0.0
  seconds: float = 0.0
  told: float = 0.0

  def elapsed(self) -> float:
    if self.state != RUNNING:
      return self.seconds
    return time.perf_counter() - self.started


class Progress:
  """Shows the state of every arm; used as a context.

  On a terminal the lines are redrawn in place; elsewhere one line is written
  for every arm that starts, advances or ends.
  """

  def __init__(self, console: rich.console.Console | None = None):
    self.console = console or rich.console.Console(highlight=False)
    self._lines: dict[str, _Line] = {}
    self._told: set[str] = set()
    self._live: rich.live.Live | None = None

  def __enter__(self):
    return self

  def __exit__(self, *unused):
    self.close()

  def close(self) -> None:
    """Leaves the last state on the terminal."""
    if self._live:
      self._live.update(self._table(), refresh=True)
      self._live.stop()
      self._live = None

  def plan(self, totals: dict[str, tuple[int, int]]) -> None:
    """Lists the arms: how many nodes each has, how many are finished."""
    self._lines = {
      arm: _Line(total, done=found, found=found)
      for arm, (total, found) in totals.items()
    }
    for line in self._lines.values():
      if line.done == line.total:
        line.state = DONE
    found = sum(x.found for x in self._lines.values())
    total = sum(x.total for x in self._lines.values())
    already = f', {found} of them finished before' if found else ''
    self.message(f'{total} nodes in {len(self._lines)} arms{already}')
    if self.console.is_terminal:
      self._live = rich.live.Live(
        console=self.console,
        get_renderable=self._table,
        refresh_per_second=_REFRESH,
      )
      self._live.start()

  def message(self, text: str) -> None:
    """A line of its own."""
    self.console.print(rich.text.Text(text), soft_wrap=True)

  def once(self, text: str) -> None:
    """Likewise, of something that may hold for many arms."""
    if text not in self._told:
      self._told.add(text)
      self.message(text)

  def start(self, arm: str) -> None:
    """An arm begins to work."""
    line = self._lines[arm]
    line.state, line.epochs, line.epoch = RUNNING, 0, 0
    line.started = line.told = time.perf_counter()
    self._plain(f'{arm}: started')

  def epoch(self, arm: str, epoch: int, epochs: int, loss: float) -> None:
    """An arm's fleet has done an epoch, of so many at most."""
    line = self._lines[arm]
    line.epoch, line.epochs, line.loss = epoch, epochs, loss
    now = time.perf_counter()
    if now - line.told >= _PLAIN_SECONDS:
      line.told = now
      self._plain(f'{arm}: epoch {epoch}/{line.epochs}, loss {loss:.4f}')

  def advance(self, arm: str) -> None:
    """A node of an arm has landed."""
    self._lines[arm].done += 1

  def end(self, arm: str, failure: str = '') -> None:
    """An arm is done, or has failed."""
    line = self._lines[arm]
    line.seconds = line.elapsed()
    line.state = FAILED if failure else DONE
    counts = f'{line.done}/{line.total} nodes, {line.seconds:.1f} s'
    self._plain(f'{arm}: {failure or "done"} ({counts})')

  def _plain(self, text: str) -> None:
    if not self._live:
      self.message(text)

  def _table(self) -> rich.table.Table:
    table = rich.table.Table(box=None, pad_edge=False)
    for name in ('arm', 'nodes', 'epoch', 'loss', 'seconds', ''):
      numeric = name in ('nodes', 'epoch', 'loss', 'seconds')
      table.add_column(name, justify='right' if numeric else 'left')
    for arm, x in self._lines.items():
      show = x.epoch and x.state != WAITING
      table.add_row(
        arm,
        f'{x.done}/{x.total}',
        f'{x.epoch}/{x.epochs}' if show else '',
        f'{x.loss:.4f}' if show and math.isfinite(x.loss) else '',
        f'{x.elapsed():.1f}' if x.state != WAITING else '',
        rich.text.Text(x.state, _STYLES[x.state]),
      )
    return table
