"""Row 6: what hyperparameters drawn at random cost."""

import dataclasses

import numpy as np

from experiments.studies.table2 import claims, criteria, measure, roster, work
from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import plan as plan_lib
from fusion_jax.core import types
from fusion_jax.evaluation import predictions as predictions_lib

_TASK = types.Task(types.BINARY, ('y',))
_STREAM = 6


def drawn(
  config: config_lib.ExperimentConfig, number: int
) -> config_lib.ExperimentConfig:
  """`config` with the search's setting `number` for every learner at once.

  So also what an arm builds on (the models of late fusion, the extractor of
  early fusion) is trained with a setting nobody chose.
  """

  def setting(learner):
    return plan_lib.hyperparameters(config, learner, number)

  return dataclasses.replace(
    config,
    training=dataclasses.replace(config.training, **setting('neural')),
    classical=dataclasses.replace(
      config.classical,
      **setting('elastic_net'),
      **setting('trees'),
    ),
  )


def careless(
  best: measure.Quantity, others: list[measure.Quantity]
) -> measure.Quantity:
  """The best setting's metric less the mean over settings drawn at random.

  Each bootstrap replicate draws the settings anew as well.
  """
  k, r = len(others), len(best.replicates)
  pick = np.random.default_rng([_STREAM, k]).integers(0, k, (k, r))
  values = np.stack([q.replicates for q in others])  # (k, r)
  return measure.Quantity(
    best.value - float(np.mean([q.value for q in others])),
    best.replicates - np.take_along_axis(values, pick, axis=0).mean(axis=0),
  )


def spread(items: list[measure.Quantity]) -> float:
  """Standard deviation of the estimates."""
  return float(np.std([q.value for q in items], ddof=1))


def run(at: work.Work) -> claims.Row:
  """Trains with settings drawn at random, and the configured one by seeds."""
  config = roster.plain_config(at)
  plain = roster.plain(at)
  random = [
    at.run(f'setting-{i}', drawn(config, i))
    for i in range(1, at.settings.draws + 1)
  ]
  seeds = [plain] + [
    at.run(f'seed-{i}', dataclasses.replace(config, seed=i))
    for i in range(1, at.settings.seeds)
  ]

  def areas(found, part=predictions_lib.TEST):
    folds = measure.arranged(found, part)
    return measure.Areas(_TASK, folds, replicates=at.settings.replicates)

  tested = [areas(x) for x in (plain, *random)]
  valid = [areas(x, predictions_lib.VALID) for x in (plain, *random)]
  by_seed = [tested[0], *(areas(x) for x in seeds[1:])]
  checks = {}
  for strategy in claims.STRATEGIES:
    expected = criteria.holds(strategy != arm_lib.JOINT)
    checks[strategy] = []
    for arm in roster.ARMS[strategy]:
      chosen = int(np.argmax([v[arm].value for v in valid]))
      others = [t[arm] for t in tested[1:]]
      cost = careless(tested[chosen][arm], others).numbers()
      checks[strategy].append(
        claims.Check(
          arm,
          '',
          expected,
          criteria.needs_no_design(cost['low'], cost['high']),
          **cost,
          details={
            'best': tested[chosen][arm].to_json(),
            'settings': [q.value for q in others],
            'seeds': [t[arm].value for t in by_seed],
            'sd_settings': spread(others),
            'sd_seeds': spread([t[arm] for t in by_seed]),
          },
        )
      )
  return claims.Row(
    setup=f'`complementary`, n = {at.settings.n}. {at.settings.draws} settings '
    "drawn from the library's search space, each for every learner of an arm "
    f'at once, and the configured one with {at.settings.seeds} seeds.',
    measure='AUROC of the setting that is best on validation, less the mean '
    'over those drawn',
    criterion='needs no meticulous design: the interval lies below '
    f'{criteria.DESIGN_MARGIN}; needs it: above',
    checks=checks,
  )
