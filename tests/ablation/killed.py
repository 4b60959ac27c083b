"""An ablation that kills itself at a given moment, as a power cut would.

  python -m tests.ablation.killed MOMENT FOLDER [NAME=VALUE ...]

A moment is EVENT:ARM:COUNT, such as 'epoch:image:1'; events without an arm
leave it empty. The rest are settings of the experiment.
"""

import collections
import functools
import os
import signal
import sys

from fusion_jax.ablation import outcome, progress, runner, store
from fusion_jax.evaluation import summary
from tests.ablation import config_test

# The moment that does not come.
NEVER = 'never'

# Before what, and how the arm is found in the call's arguments.
_BEFORE = {
  'epoch': (progress.Progress, 'epoch', lambda progress, arm, *_: arm),
  'start': (progress.Progress, 'start', lambda progress, arm, *_: arm),
  'evaluate': (outcome, 'finish', lambda *_, **__: ''),
  'summary': (summary, 'write', lambda *_, **__: ''),
  # The node has landed by then.
  'log': (store.Store, 'log', lambda store, event, arm='', **_: arm),
}
# Half way through landing: the model is written, the record is not.
_LAND = 'land'


def _watch(event: str, hit) -> None:
  if event == _LAND:
    land = store.Store.write

    def write(self, key, *, record, save_model, **rest):
      def save(folder):
        save_model(folder)
        hit(record['arm'])

      land(self, key, record=record, save_model=save, **rest)

    store.Store.write = write
    return
  owner, name, arm_of = _BEFORE[event]
  real = getattr(owner, name)

  @functools.wraps(real)
  def call(*args, **kwargs):
    hit(arm_of(*args, **kwargs))
    return real(*args, **kwargs)

  setattr(owner, name, call)


def main(moment: str, folder: str, *overrides: str) -> None:
  """Arranges the moment, then runs the ablation in `folder`."""
  if moment != NEVER:
    event, arm, count = moment.split(':')
    calls = collections.Counter()

    def hit(found):
      calls[found] += 1
      if found == arm and calls[found] == int(count):
        os.kill(os.getpid(), signal.SIGKILL)

    _watch(event, hit)
  report = runner.run(
    config_test.config(*overrides), store.Store(folder), progress.Progress()
  )
  if report.failures:
    sys.exit('\n'.join(report.failures.values()))


if __name__ == '__main__':
  main(*sys.argv[1:])
