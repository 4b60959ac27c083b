"""Row 1: what arms predict when test studies lack a modality."""

import dataclasses

from experiments.studies.table2 import claims, criteria, measure, roster, work
from fusion_jax.ablation import arm as arm_lib
from fusion_jax.core import types

# Withheld from studies in the run that is trained with missing modalities.
WITHHELD = ('image:0.3', 'ehr:0.3')
COMPLETE, WITH_MISSING = 'complete training', 'training with missing'
_OTHER = {types.IMAGE: types.EHR, types.EHR: types.IMAGE}


def expected(strategy: str, training: str) -> str:
  """What the review lets one expect.

  Joint fusion predicts 'unless specialised' not; training with modalities
  missing is what specialises it.
  """
  if strategy == arm_lib.JOINT:
    return claims.YES if training == WITH_MISSING else claims.NO
  return claims.YES if strategy == arm_lib.LATE else claims.NO


def run(at: work.Work) -> claims.Row:
  """Trains on complete data and with modalities withheld."""
  config = roster.plain_config(at)
  withheld = dataclasses.replace(
    config, cohort=dataclasses.replace(config.cohort, withhold=WITHHELD)
  )
  runs = {
    COMPLETE: roster.plain(at),
    WITH_MISSING: at.run('withheld', withheld),
  }
  checks = {strategy: [] for strategy in claims.STRATEGIES}
  for training, found in runs.items():
    intact = _areas(at, found, '')
    for absent in (types.IMAGE, types.EHR):
      without = _areas(at, found, absent)
      for strategy in claims.STRATEGIES:
        for arm in roster.ARMS[strategy]:
          loss = without[arm] - without[_OTHER[absent]]
          numbers = loss.numbers()
          checks[strategy].append(
            claims.Check(
              arm,
              f'{training}, {absent} absent',
              expected(strategy, training),
              criteria.predicts_without(numbers['low'], numbers['high']),
              **numbers,
              details=measure.by_arm(
                {
                  'auroc_intact': intact[arm],
                  'auroc_without': without[arm],
                  f'auroc_{_OTHER[absent]}': without[_OTHER[absent]],
                }
              ),
            )
          )
  return claims.Row(
    setup=f'`complementary`, n = {at.settings.n}. Trained on complete data, '
    'and with 30% of the images and 30% of the records withheld; one modality '
    'is then taken from every test study.',
    measure='AUROC without the modality, less that of the remaining '
    "modality's own model",
    criterion=f'predicts: the interval lies above -{criteria.LOSS_ALLOWED}; '
    'does not: below it. Expected of joint fusion: no, but yes after training '
    'with missing modalities',
    checks=checks,
  )


def _areas(at, found, absent):
  arms = roster.listed()
  folds = measure.predicted(found, arms, absent=absent)
  task = types.Task(types.BINARY, ('y',))
  return measure.Areas(task, folds, replicates=at.settings.replicates)
