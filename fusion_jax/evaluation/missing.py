"""How arms fare when studies lack a modality they were not trained to lack.

A prediction depends on its own study alone, so a test part in which some
studies lack a modality is a mixture of the predictions with it and those
without it; no model is run again.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import entries, metrics, resampling
from fusion_jax.evaluation import folds as folds_lib

RANDOM = 'random'
INFORMATIVE = 'informative'
MECHANISMS = (RANDOM, INFORMATIVE)
RATES = (0.0, 0.25, 0.5, 0.75, 1.0)

# Bands of a curve need fewer replicates than a verdict.
_REPLICATES = 500


def order(
  task: types.Task,
  scores: np.ndarray | None,
  *,
  mechanism: str,
  n: int,
  seed: Sequence[int],
) -> np.ndarray:
  """The order in which n studies lose a modality, as (n,) ranks from 0.

  The studies that lose it at one rate also lose it at every higher rate.

  Args:
    task: gives the meaning of scores.
    scores: (n, s) predictions from the other modality, for 'informative': the
      higher the risk they give, the sooner a study tends to lose the modality
      (missing at random given the other modality, in Rubin's terms, 1976,
      Biometrika 63, 581-592). Risk in standard deviations and standard normal
      noise have equal parts. None for 'random'.
    mechanism: 'random' (missing completely at random) or 'informative'.
    n: number of studies.
    seed: of the order.
  """
  rng = np.random.default_rng([*seed, MECHANISMS.index(mechanism)])
  key = rng.standard_normal(n)
  if mechanism == INFORMATIVE and scores is not None:
    risk = _risk(task, scores)
    spread = risk.std()
    if spread > 0:
      key = key - (risk - risk.mean()) / spread
  ranks = np.empty(n, int)
  ranks[np.argsort(key, kind='stable')] = np.arange(n)
  return ranks


def mix(
  intact: folds_lib.Fold, absent: folds_lib.Fold, lost: np.ndarray
) -> folds_lib.Fold:
  """The fold in which the studies `lost` (n,) are predicted as `absent`.

  Arms that `absent` has no predictions of do not see the modality and stay.
  """
  scores = {}
  for arm, by_seed in intact.scores.items():
    without = absent.scores.get(arm, by_seed)
    scores[arm] = {
      seed: np.where(lost[:, None], without.get(seed, values), values)
      for seed, values in by_seed.items()
    }
  return dataclasses.replace(intact, scores=scores)


def curves(
  task: types.Task,
  intact: Sequence[folds_lib.Fold],
  absent: Mapping[str, Sequence[folds_lib.Fold]],
  *,
  arms: Sequence[str],
  references: Sequence[str | None],
  others: Mapping[str, Sequence[str]],
  metric: str,
  resamples: resampling.Resamples,
  rates: Sequence[float] = RATES,
  seed: int = 0,
) -> list[dict[str, Any]]:
  """The metric of every arm by modality, mechanism and share of studies.

  Args:
    task: what is predicted.
    intact: g test parts.
    absent: by modality, the same parts as predicted without it.
    arms: whose curves are wanted.
    references: (g,) the single-modality arm to beat in each fold, or None.
    others: by modality, single-modality arms that do not see it, the best of
      which (in the order given, the first that ran) drives 'informative'.
    metric: name of the metric.
    resamples: patient bootstrap; its first 500 replicates are used.
    rates: shares of a test part's studies that lose the modality.
    seed: of who loses it.

  Returns:
    A list of {modality, mechanism, rate, replicates, arms: {arm: entry}, gain:
    {arm: entry}}; the gain is that over the reference arm, which loses the
    modality too if it sees it. An interval is a percentile one of an arm by
    itself, without the factor of dependence.py, conditional on the models and
    on who loses the modality.
  """
  few = resampling.Resamples(
    resamples.patients, resamples.counts[:, :_REPLICATES]
  )
  found = []
  for modality, without in absent.items():
    for mechanism in MECHANISMS:
      ranks = [
        order(
          task,
          _driver(fold, others.get(modality, ())),
          mechanism=mechanism,
          n=len(fold.study),
          seed=(seed, fold.repeat, fold.fold),
        )
        for fold in intact
      ]
      for rate in rates:
        mixed = [
          mix(fold, gone, rank < round(rate * len(rank)))
          for fold, gone, rank in zip(intact, without, ranks, strict=True)
        ]
        found.append(
          {
            'modality': modality,
            'mechanism': mechanism,
            'rate': float(rate),
            'replicates': few.counts.shape[1],
            **_evaluate(task, mixed, arms, references, metric, few),
          }
        )
  return found


def _evaluate(task, folds, arms, references, metric, resamples):
  named = [*dict.fromkeys([*arms, *filter(None, references)])]
  whole = resampling.Resamples(
    resamples.patients, np.ones((len(resamples.patients), 1), np.uint16)
  )

  def values(draws):
    return resampling.replicate(
      task,
      folds,
      arms=named,
      wanted=[metric],
      metric=metric,
      resamples=draws,
    ).by_fold

  observed, replicates = values(whole), values(resamples)
  found: dict[str, dict[str, Any]] = {'arms': {}, 'gain': {}}
  chosen = [g for g, arm in enumerate(references) if arm is not None]
  for arm in arms:
    a = named.index(arm)
    found['arms'][arm] = _entry(
      metrics.mean([*observed[:, a]]), metrics.mean([*replicates[:, a]])
    )
    if chosen:
      found['gain'][arm] = _entry(
        *(
          metrics.mean(
            [x[g, a] - x[g, named.index(references[g])] for g in chosen]
          )
          for x in (observed, replicates)
        )
      )
  return found


def _entry(observed, replicates) -> dict[str, Any]:
  return entries.resampled(
    float(observed[0]), replicates, otherwise='undefined in every fold'
  )


def _driver(fold, names) -> np.ndarray | None:
  """(n, s) scores that decide who loses a modality, mean over seeds."""
  for name in names:
    if name in fold.scores:
      return np.mean([*fold.scores[name].values()], axis=0)
  return None


def _risk(task, scores) -> np.ndarray:
  """(n,) a single number that grows with what is predicted."""
  if task.kind == types.MULTICLASS:
    common = np.argmax(scores.mean(axis=0))
    return 1 - scores[:, common]
  return scores.mean(axis=1)
