"""Folders as finished runs leave them, for tests of leagues."""

import json
import pathlib

import numpy as np
from absl.testing import parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import predictions, summary

STRATEGIES = {
  'early_raw': 'early',
  'joint': 'joint',
  'gated': 'joint',
  'late_mean': 'late',
}


def content(name='a', *, gains=None, se=0.01, metric='auroc', **changed):
  """The keys of a summary that a league reads.

  Args:
    name: of the cohort.
    gains: by arm; None for those of four arms.
    se: of each, or by arm.
    metric: of comparison.
    **changed: keys at the top.
  """
  gains = dict.fromkeys(STRATEGIES, 0.02) if gains is None else gains
  ses = se if isinstance(se, dict) else dict.fromkeys(gains, se)
  entries = [
    {
      'arm': arm,
      'single': 'image',
      'difference': gain,
      'se': ses[arm],
      'low': None if gain is None else gain - 2.4 * ses[arm],
      'high': None if gain is None else gain + 2.4 * ses[arm],
      'verdict': 'inconclusive',
      **({'reason': 'no fold has it'} if gain is None else {}),
    }
    for arm, gain in gains.items()
  ]
  arms = {arm: {'strategy': STRATEGIES.get(arm, 'joint')} for arm in gains}
  return {
    'version': summary.VERSION,
    'question': {'verdict': 'inconclusive', 'words': 'NOT SETTLED'},
    'gain': {'arm': entries[0]['arm']} if entries else None,
    'cohort': {'name': name, 'digest': name, 'studies': 60, 'patients': 40},
    'task': {'kind': 'binary', 'names': ['y'], 'metric': metric},
    'evaluation': {'metric': metric, 'reference': 'best_single'},
    'best_single': {'arm': 'image', 'estimate': 0.8},
    'arms': arms,
    'comparisons': entries,
    'run': {},
    **changed,
  }


def write(folder, name='a', *, ids='', **options) -> str:
  """Writes a run; returns its folder.

  Args:
    folder: where to.
    name: of the cohort.
    ids: what ids of studies begin with; empty for no predictions.
    **options: see `content`.
  """
  folder = pathlib.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  found = content(name, **options)
  (folder / 'summary.json').write_text(json.dumps(found))
  if ids:
    n = found['cohort']['studies']
    table = predictions.create(
      task=types.Task('binary', ('y',)),
      study_id=np.array([f'{ids}{i}' for i in range(n)]),
      patient_id=np.array([f'p{ids}{i // 2}' for i in range(n)]),
      arm='joint',
      labels=(np.arange(n) % 2)[:, None].astype(float),
      scores=np.linspace(0.1, 0.9, n)[:, None],
    )
    predictions.write(table, folder / 'predictions.parquet')
  return str(folder)


class RunsCase(parameterized.TestCase):
  """Tests that write runs into a folder of their own."""

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def write(self, run, **options):
    """Writes one into the folder `run`; see `write`."""
    return write(self.folder / run, **options)
