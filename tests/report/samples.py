"""Small summaries, made by the evaluation from made-up scores."""

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import config, predictions, summary

SINGLES = ('image', 'ehr', 'ehr_trees')
FUSIONS = ('early_raw', 'joint', 'late_mean')

_SKILL = {
  'image': 0.6,
  'ehr': 0.9,
  'ehr_trees': 1.0,
  'early_raw': 1.0,
  'joint': 2.5,
  'late_mean': 1.2,
}


def table(
  kind: str = types.BINARY, *, n=120, folds=2, repeats=1, missing=False
) -> predictions.Predictions:
  """Predictions of six arms; study and patient ids are easy to find."""
  rng = np.random.default_rng(0)
  names = ('a', 'b', 'c') if kind == types.MULTICLASS else ('outcome',)
  if kind == types.SURVIVAL:
    names = ('days', 'died')
  task = types.Task(kind, names)
  truth = rng.normal(size=n)
  if kind == types.BINARY:
    labels = (truth > 0.5).astype(float)
  elif kind == types.MULTICLASS:
    labels = np.digitize(truth, (-0.4, 0.4)).astype(float)
  elif kind == types.SURVIVAL:
    ends = np.random.default_rng(1).exponential(size=(2, n)) * 300 + 1
    time = np.minimum(ends[0] * np.exp(-truth), ends[1])
    labels = np.stack([time, time < ends[1]], axis=1).astype(float)
  else:
    labels = truth
  image = np.arange(n) % 7 != 0 if missing else np.ones(n, bool)
  fold = np.arange(n) // 2 % folds
  columns = {k: [] for k in ('arm', 'repeat', 'fold', 'part', 'row', 'score')}
  for repeat in range(repeats):
    for arm, skill in _SKILL.items():
      score = skill * truth + rng.normal(size=n)
      for k in range(folds):
        for part, rows in (
          ('test', np.flatnonzero(fold == k)),
          ('valid', np.flatnonzero(fold == (k + 1) % folds)[: n // 3]),
        ):
          for name, value in (('arm', arm), ('repeat', repeat), ('fold', k)):
            columns[name] += [value] * len(rows)
          columns['part'] += [part] * len(rows)
          columns['row'].append(rows)
          columns['score'].append(score[rows])
  row, score = np.concatenate(columns['row']), np.concatenate(columns['score'])
  scores = score[:, None]
  if kind == types.MULTICLASS:
    logits = np.stack([-score, 0.3 - np.abs(score), score], axis=1)
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
  elif kind == types.BINARY:
    scores = 1 / (1 + np.exp(-scores))
  return predictions.create(
    task=task,
    study_id=np.array([f'STUDY{i:04d}' for i in row]),
    patient_id=np.array([f'PATIENT{i // 2:04d}' for i in row]),
    arm=np.array(columns['arm']),
    repeat=np.array(columns['repeat']),
    fold=np.array(columns['fold']),
    part=np.array(columns['part']),
    labels=labels.reshape(n, -1)[row],
    scores=scores,
    available={'image': image[row], 'ehr': np.ones(len(row), bool)},
  )


def sample(kind: str = types.BINARY, *, metric='', **options):
  """A summary of `table`, with costs and a cohort beside it."""
  return summary.summarise(
    table(kind, **options),
    singles=SINGLES,
    fusions=FUSIONS,
    config=config.EvaluationConfig(replicates=199, metric=metric),
    costs={
      a: {'parameters': 12345, 'seconds': 3.5, 'compile_seconds': 0.25}
      for a in _SKILL
    },
    audits={'tuning': {'trials': 7}},
    warnings=['a warning of the run'],
    cohort={
      'name': 'made_up',
      'digest': 'abc123',
      'oracle': {'image': 0.75, 'both': None},
    },
    run={'folder': 'runs/made_up'},
  )
