"""Row 2: a world in which only both modalities together tell anything."""

import dataclasses

from experiments.studies.table2 import claims, criteria, measure, roster, work
from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import config as config_lib

# Linear learners model interactions in no strategy and are left out.
ARMS = {
  arm_lib.EARLY: ('early_raw', 'early_features', 'early_trees'),
  arm_lib.JOINT: ('joint', 'joint_raw_ehr'),
  arm_lib.LATE: ('late_mean', 'late_vote', 'late_stack'),
}
_CHANCE = 0.5


def run(at: work.Work) -> claims.Row:
  """Trains on `synergy`, with EMAP where the arms are models of both."""
  config = at.config(
    'synergy', roster.listed(ARMS), n=at.settings.n_interactions
  )
  config = dataclasses.replace(
    config, controls=config_lib.ControlsConfig(conditions=('emap',))
  )
  found = at.run('synergy', config)
  cohort, _ = measure.opened(found)
  folds = measure.with_oracle(measure.arranged(found), cohort)
  areas = measure.Areas(cohort.task, folds, replicates=at.settings.replicates)
  best = areas['oracle_both'].shifted(-_CHANCE)
  controls = found.summary['controls']
  checks = {}
  for strategy in claims.STRATEGIES:
    expected = claims.NO if strategy == arm_lib.LATE else claims.YES
    checks[strategy] = []
    for arm in ARMS[strategy]:
      share = areas[arm].shifted(-_CHANCE).over(best).numbers()
      details = measure.by_arm(
        {'auroc': areas[arm], 'oracle': areas['oracle_both']}
      )
      emap = controls.get(arm, {}).get('emap')
      checks[strategy].append(
        claims.Check(
          arm,
          '',
          expected,
          criteria.interacts(share['low'], share['high']),
          **share,
          details={**details, 'emap': emap},
        )
      )
  return claims.Row(
    setup=f'`synergy` (the label is whether the signs of both latents agree), '
    f'n = {at.settings.n_interactions}; either modality alone has an AUROC of '
    '.5 at best.',
    measure="share of the best possible model's lift above chance (AUROC - .5)",
    criterion='models interactions: the interval lies above '
    f'{criteria.LIFT_SHARE}; does not: below it',
    checks=checks,
    decimals=2,
  )
