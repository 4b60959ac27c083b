"""How often intervals cover near an AUROC of 1 and with few events.

Binormal arms as in scores.py, one study a patient, an exact number of events.
"""

from collections.abc import Mapping

import numpy as np

from experiments.studies.calibration import cells, scores
from fusion_jax.evaluation import bounds, comparison, delong


def coverage(
  cell: cells.Cell, settings: cells.Settings, run: int
) -> Mapping[str, float]:
  """Intervals of one data set.

  Outcomes: `logit`, `percentile` and `logit_delong` (share of arms whose
  interval of that kind holds the true AUROC; one that does not exist does not),
  `undefined` (share of arms without a logit interval), `covered` (all
  intervals of the gain hold the true one), `gain_undefined` (share of fusion
  arms without an interval of the gain), `fewest`.
  """
  test, _ = scores.parts(cell, settings, run)
  true = scores.truth(cell)
  arms = list(true)
  values, replicates, families = scores.assess(cell, settings, run, test)
  areas = delong.areas(
    test[0].labels[:, 0] > 0,
    np.stack([test[0].scores[arm][0][:, 0] for arm in arms]),
  )
  inside = {'logit': [], 'percentile': [], 'logit_delong': []}
  undefined = []
  for a, arm in enumerate(arms):
    value, drawn = float(values[0, a]), replicates[0, a]
    intervals = {
      'logit': bounds.of_metric(scores.METRIC, value, drawn),
      'percentile': bounds.percentile(drawn),
      'logit_delong': bounds.logit(value, float(areas.se[a])),
    }
    for name, (low, high, _) in intervals.items():
      inside[name].append(low <= true[arm] <= high)
    undefined.append(np.isnan(intervals['logit'][0]))
  gains = comparison.compare(
    arms=arms,
    values=values,
    margin=scores.MARGIN,
    families=families,
    fusions=scores.fusions(cell),
    singles=scores.singles(cell),
  ).gains
  delta = scores.gain_of(cell)
  judged = scores.judged(gains, [delta[g.arm] for g in gains])
  return {
    **{name: float(np.mean(x)) for name, x in inside.items()},
    'undefined': float(np.mean(undefined)),
    'covered': judged['covered'],
    'superior': judged['superior'],
    'inferior': judged['inferior'],
    'gain_undefined': float(np.mean([np.isnan(g.low) for g in gains])),
    'fewest': scores.fewest(test),
  }
