"""Row 4: learning curves of the gain over the best single modality."""

import dataclasses

import numpy as np

from experiments.studies.table2 import claims, criteria, measure, roster, work
from fusion_jax.ablation import arm as arm_lib

ARMS = {
  arm_lib.EARLY: ('early_pca', 'early_trees'),
  arm_lib.JOINT: ('joint',),
  arm_lib.LATE: ('late_mean', 'late_stack'),
}


def run(at: work.Work) -> claims.Row:
  """Trains on growing parts of the training patients, test parts the same."""
  config = at.config(
    'complementary', roster.listed(ARMS), n=at.settings.n_curve
  )
  gains: dict[float, dict[str, measure.Quantity]] = {}
  sizes = {}
  for fraction in (*at.settings.fractions, 1.0):
    changed = dataclasses.replace(
      config, splits=dataclasses.replace(config.splits, train_fraction=fraction)
    )
    found = at.run(f'fraction-{fraction:g}', changed)
    cohort, splits = measure.opened(found)
    areas = measure.Areas(
      cohort.task,
      measure.arranged(found),
      replicates=at.settings.replicates,
    )
    reference = areas.by_fold(measure.references(found))
    gains[fraction] = {
      a: areas[a] - reference for s in claims.STRATEGIES for a in ARMS[s]
    }
    sizes[fraction] = round(float(np.mean([len(s.train) for s in splits])))
  least, most = min(gains), max(gains)
  checks = {}
  for strategy in claims.STRATEGIES:
    expected = criteria.holds(strategy == arm_lib.LATE)
    checks[strategy] = []
    for arm in ARMS[strategy]:
      kept = gains[least][arm] - criteria.GAIN_SHARE * gains[most][arm]
      numbers = kept.numbers()
      checks[strategy].append(
        claims.Check(
          arm,
          '',
          expected,
          criteria.needs_little_data(
            all_low=gains[most][arm].numbers()['low'],
            kept_low=numbers['low'],
            kept_high=numbers['high'],
          ),
          **numbers,
          details={
            f'gain_trained_on_{sizes[f]}': gains[f][arm].to_json()
            for f in gains
          },
        )
      )
  shown = ', '.join(str(round(f * at.settings.n_curve)) for f in gains)
  trained = ', '.join(str(sizes[f]) for f in gains)
  return claims.Row(
    setup=f'`complementary` with the training patients of {shown} studies '
    f'({trained} of them trained on, the rest for validation and test), the '
    f'same {at.settings.n_curve} test studies throughout.',
    measure='gain in AUROC over the best single modality with the fewest data, '
    'less half of the gain with all',
    criterion='does not need much data: there is a gain with all data, and '
    'the interval lies above 0; needs it: below 0',
    checks=checks,
  )
