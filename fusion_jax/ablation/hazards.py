"""From log hazards to survival curves, one fitted model at a time."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import rows as rows_lib
from fusion_jax.core import baseline as baseline_lib
from fusion_jax.core import errors, links, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.evaluation import config as evaluation_config

_QUARTILES = (0.25, 0.5, 0.75)


@dataclasses.dataclass(frozen=True, eq=False)
class Hazards:
  """What turns the log hazards of one fitted model into survival curves.

  Both are estimated on the validation part of the model's fold, for all arms
  alike. Nothing is fitted on it but when training stops and the few weights of
  a late rule; on training rows log hazards are too extreme, and test rows are
  never used.

  Attributes:
    times: (t,) increasing horizons.
    model: (t,) cumulative hazards at log hazard 0, from the model's logits of
      the studies that have a modality of the arm.
    marginal: (t,) cumulative hazards of all studies together, for those that
      have none; the constant that such a study scores has no place on the
      scale of the others' log hazards. NaN beyond the follow-up of the
      validation part, as in `model`.
  """

  times: tuple[float, ...]
  model: np.ndarray
  marginal: np.ndarray

  @classmethod
  def estimate(
    cls,
    cohort: cohort_lib.Cohort,
    arm: arm_lib.Arm,
    *,
    rows: np.ndarray,
    logits: np.ndarray,
    times: Sequence[float],
  ) -> 'Hazards':
    """From the validation rows and their (rows, 1) logits."""
    labels = cohort.labels[rows]
    weight = np.ones(len(rows))
    if cohort.weight is not None:
      weight = cohort.weight[rows]
    seen = rows_lib.present(arm, cohort)[rows]
    model = baseline_lib.fit(labels[seen], logits[seen, 0], weight[seen])
    marginal = baseline_lib.fit(labels, np.zeros(len(rows)), weight)
    return cls(tuple(times), model.at(times), marginal.at(times))

  @classmethod
  def from_json(cls, times: Sequence[float], saved: Mapping) -> 'Hazards':
    """From what `to_json` returned."""
    values = (np.array(saved[x], np.float64) for x in ('model', 'marginal'))
    return cls(tuple(times), *values)

  def only(self, times: Sequence[float]) -> 'Hazards':
    """At those of the horizons that are in `times`; all if it is empty."""
    kept = [k for k, t in enumerate(self.times) if not times or t in times]
    at = tuple(self.times[k] for k in kept)
    return Hazards(at, self.model[kept], self.marginal[kept])

  def to_json(self) -> dict[str, list[float | None]]:
    """Lists of numbers, None where a hazard is not known."""
    return {
      name: [
        x if np.isfinite(x) else None for x in getattr(self, name).tolist()
      ]
      for name in ('model', 'marginal')
    }

  def survival(
    self,
    cohort: cohort_lib.Cohort,
    arm: arm_lib.Arm,
    *,
    rows: np.ndarray,
    logits: np.ndarray,
  ) -> dict[str, np.ndarray]:
    """By time as text, (rows,) P(no event by then), given (rows, 1) logits."""
    seen = rows_lib.present(arm, cohort)[rows]
    curves = [
      baseline_lib.survival(
        baseline_lib.Baseline(np.array(self.times), hazard, self.times[-1]),
        log_hazard,
        self.times,
      )
      for hazard, log_hazard in (
        (self.model, logits[:, 0]),
        (self.marginal, np.zeros(len(rows))),
      )
    ]
    found = np.where(seen[:, None], *curves)
    return {f'{t:g}': found[:, k] for k, t in enumerate(self.times)}


def horizons(
  cohort: cohort_lib.Cohort, config: evaluation_config.EvaluationConfig
) -> tuple[float, ...]:
  """Increasing times at which survival is predicted; () for other tasks.

  Where the configuration names none, the quartiles of the times of all the
  cohort's events, to six digits: a grid to evaluate at, which no model sees.

  Raises:
    UserError: for a time that lies beyond the cohort's follow-up.
  """
  if cohort.task.kind != types.SURVIVAL:
    return ()
  known = links.known(cohort.task, cohort.labels)[:, 0]
  time, event = cohort.labels[known].T
  if config.horizons:
    last = max(config.horizons)
    if last > time.max(initial=0):
      raise errors.UserError(
        f'evaluation.horizons: {last:g} lies beyond the follow-up of cohort '
        f"'{cohort.name}', which ends at {time.max(initial=0):g}."
      )
    return tuple(sorted(config.horizons))
  if not (event > 0).any():
    return ()
  found = np.quantile(time[event > 0], _QUARTILES)
  return tuple(dict.fromkeys(float(f'{t:g}') for t in found))
