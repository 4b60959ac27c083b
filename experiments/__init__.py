"""Floor 7: launchers.

`python -m experiments.NAME` imports this before anything that takes time, so
that a launcher can be interrupted, and its faults be told, from its first
moment.
"""

import os
import sys

from experiments import faults, interrupts

if sys.argv[0] == '-m':
  # What Python calls itself while it looks for the module to run.
  interrupts.end_process()
  sys.excepthook = faults.hook
elif '--multiprocessing-fork' in sys.orig_argv and __path__[0] == (
  os.path.dirname(sys.argv[0])
):
  # A worker of a launcher, not of another program that imports this package.
  interrupts.die_silently()
