"""Floor 8: entries of the checkout, and studies about the tool.

`python -m experiments.NAME` and `experiments.studies.NAME` import this before
anything that takes time, so that they can be interrupted, and their faults be
told, from their first moment.
"""

import os
import sys

from fusion_jax.launch import faults, interrupts

if sys.argv[0] == '-m':
  # What Python calls itself while it looks for the module to run.
  interrupts.end_process()
  sys.excepthook = faults.hook
elif '--multiprocessing-fork' in sys.orig_argv and (
  sys.argv[0].startswith(os.path.join(__path__[0], ''))
):
  # A worker of a study, not of another program that imports this package.
  interrupts.die_silently()
