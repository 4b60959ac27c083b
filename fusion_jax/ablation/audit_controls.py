"""Audits of the experiment itself: permuted labels and repeated images."""

import dataclasses
import math
import os
import pathlib
from typing import Any

import numpy as np
from scipy import stats

from fusion_jax.ablation import audit_config as config_lib
from fusion_jax.ablation import audit_work as work_lib
from fusion_jax.core import errors, types
from fusion_jax.data import duplicates as duplicates_lib
from fusion_jax.data import kind as kinds
from fusion_jax.data import modality as modality_lib
from fusion_jax.data import preprocess
from fusion_jax.evaluation import (
  bounds,
  estimates,
  metrics,
  predictions,
  resampling,
)
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.training import classical

DUPLICATES_FILE = 'duplicates.csv'

# The permuted arm need not be good: fewer components than arms use will do.
_PIXEL_SIZE = 16
_PIXEL_COMPONENTS = 16
_RECIPE = 'elastic net on EHR and principal components of pixels'


def permutation(work: work_lib.Work) -> dict[str, Any]:
  """Labels permuted in what models see; the test labels are as they are.

  Args:
    work: the audits of a cohort.
  """
  tables, reason, columns = [], '', 0
  for split in work.splits:
    try:
      x = _floor(work, split)
    except errors.UserError as e:
      reason = str(e)
      continue
    columns = max(columns, x.shape[1])
    for number in range(work.config.permutations):
      rng = np.random.default_rng([work.seed, split.repeat, split.fold, number])
      labels = work.cohort.labels.copy()
      for part in (split.train, split.valid):
        labels[part] = permuted(labels[part], work.cohort.patient[part], rng)
      try:
        model = work.fit(classical.fit_elastic_net, x, labels, split)
      except errors.UserError as e:
        reason = str(e)
        continue
      logits = model.logits(x[split.test])
      tables.append(
        work.table(config_lib.LABEL_PERMUTATION, split, number, logits)
      )
  entry = _evaluate(work, tables, reason)
  shown = work.shown(entry)
  alarm = not math.isnan(entry['low']) and entry['low'] > work.chance
  if 'reason' in entry:
    sentence = f'Not measured: {entry["reason"].rstrip(".")}.'
  elif alarm:
    sentence = (
      f'Models trained on permuted labels still reach {shown}: test labels '
      'reach the predictions by some way other than learning.'
    )
  else:
    sentence = (
      f'Models trained on permuted labels reach {shown}, as they should.'
    )
  return {
    **work.head(entry),
    'margin': 0.0,
    'learner': _RECIPE,
    'permutations': work.config.permutations,
    'features': columns,
    'alarm': alarm,
    'sentence': sentence,
  }


def _has_pictures(cohort) -> bool:
  return any(
    next(kinds.of(x).pictures(x), None) is not None
    for x in cohort.modalities.values()
  )


def _floor(work, split) -> np.ndarray:
  """(n, p) columns of the cheapest arm that sees everything."""
  size = min(work.preprocessing.pixel_size, _PIXEL_SIZE)
  components = min(work.preprocessing.pixel_components, _PIXEL_COMPONENTS)
  fitted = preprocess.Preprocessor(
    dataclasses.replace(
      work.preprocessing, pixel_size=size, pixel_components=components
    )
  ).fit(work.cohort, split.train)
  columns = []
  for name, modality in work.cohort.modalities.items():
    x = fitted.columns(work.cohort, name, kinds.LINEAR).x
    if modality.side == modality_lib.RECORD:
      columns.insert(0, x)
    else:
      here = modality.present[:, None]
      columns += [np.where(here, x, 0.0), ~here]
  return np.concatenate(columns, axis=1)


def _evaluate(work, tables, reason) -> dict[str, Any]:
  """The interval covers which permutation was drawn and who was tested.

  A random model is right or wrong on all test studies together, so that the
  patient bootstrap alone is far too narrow: the variance over permutations
  is added to it, with Student's t for their number.
  """
  if not tables:
    return work_lib.unknown(reason)
  folds = folds_lib.arrange(predictions.concat(tables))
  wanted = [work.metric]
  of_seeds = []
  for number in range(work.config.permutations):
    only = [
      dataclasses.replace(
        f, scores={a: {number: s[number]} for a, s in f.scores.items()}
      )
      for f in folds
      if number in f.scores[config_lib.LABEL_PERMUTATION]
    ]
    if not only:
      continue
    value = estimates.estimate(
      work.task, only, arms=[config_lib.LABEL_PERMUTATION], wanted=wanted
    ).estimate[work.metric]
    of_seeds.append(float(value[0]))
  replicates = resampling.replicate(
    work.task,
    folds,
    arms=[config_lib.LABEL_PERMUTATION],
    wanted=wanted,
    metric=work.metric,
    resamples=work.resamples(),
  ).means[0, 0]
  known = np.array([x for x in of_seeds if not math.isnan(x)])
  replicates = replicates[~np.isnan(replicates)]
  if len(known) < 2 or len(replicates) < 2:
    return work_lib.unknown('the metric is undefined in too many folds')
  se = math.sqrt(known.var(ddof=1) / len(known) + replicates.var(ddof=1))
  reach = float(stats.t.ppf(1 - bounds.ALPHA, len(known) - 1)) * se
  estimate = float(known.mean())
  low, high = estimate - reach, min(1.0, estimate + reach)
  if work.task.kind != types.REGRESSION:
    low = max(0.0, low)
  return {'estimate': estimate, 'low': low, 'high': high}


def duplicates(
  work: work_lib.Work, folder: str | os.PathLike | None
) -> dict[str, Any]:
  """Test studies whose image was seen in training, of another patient.

  Args:
    work: the audits of a cohort.
    folder: where the pairs are listed, by study; None for nowhere.
  """
  found = duplicates_lib.find(work.cohort)
  limit = work.config.duplicates
  entry = {
    'metric': 'share of test studies',
    'estimate': math.nan,
    'low': math.nan,
    'high': math.nan,
  }
  head = {'chance': 0.0, 'margin': limit, 'learner': 'perceptual hash'}
  if not _has_pictures(work.cohort):
    entry['reason'] = 'the cohort has no images'
    sentence = 'There are no images to compare.'
    return {
      **work_lib.plain(entry),
      **head,
      'features': 0,
      'alarm': False,
      'sentence': sentence,
      'pairs': 0,
      'studies': 0,
    }
  resamples = work.resamples()
  shares, values, pairs, studies = [], [], set(), set()
  for split in work.splits:
    hit, across = found.tested(split, len(work.cohort))
    pairs.update(np.flatnonzero(across).tolist())
    studies.update(split.test[hit].tolist())
    shares.append(hit.mean())
    counts = resamples.counts[
      resamples.rows(work.cohort.patient[split.test])
    ].astype(np.float64)
    total = counts.sum(axis=0)
    values.append(
      np.divide(
        hit @ counts, total, out=np.full(len(total), np.nan), where=total > 0
      )
    )
  entry['estimate'] = float(np.mean(shares))
  low, high, reason = bounds.percentile(metrics.mean(values))
  entry.update(low=low, high=high, **({'reason': reason} if reason else {}))
  alarm = entry['estimate'] > limit
  if folder is not None:
    path = pathlib.Path(folder) / DUPLICATES_FILE
    if pairs:
      duplicates_lib.write(found, work.cohort, work.splits, path)
    else:
      path.unlink(missing_ok=True)
  return {
    **work_lib.plain(entry),
    **head,
    'features': 64,
    'alarm': alarm,
    'sentence': _duplicates_sentence(len(pairs), len(studies), entry, alarm),
    'pairs': len(pairs),
    'studies': len(studies),
    'blank_images': found.blank,
  }


def permuted(
  labels: np.ndarray, patient: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
  """(n, l) labels moved between patients.

  Patients are put in random order and their labels laid out over the studies
  in the original order of patients, so that the labels of one patient mostly
  stay together and every label is used once.

  Args:
    labels: (n, l).
    patient: (n,) str.
    rng: of the order.
  """
  _, place = np.unique(patient, return_inverse=True)
  rank = rng.permutation(place.max() + 1)[place]
  out = np.empty_like(labels)
  out[np.argsort(place, kind='stable')] = labels[
    np.argsort(rank, kind='stable')
  ]
  return out


def _duplicates_sentence(pairs, studies, entry, alarm) -> str:
  if not pairs:
    return (
      'No test study has an image nearly identical to one of another patient '
      'that its models were trained on.'
    )
  consequence = (
    f'the patients may be the same person twice: see {DUPLICATES_FILE}.'
    if alarm
    else f'listed in {DUPLICATES_FILE}.'
  )
  return (
    f'{studies} test studies ({entry["estimate"]:.1%} of a test part) have an '
    'image nearly identical to one of another patient that their models were '
    f'trained on ({pairs} pairs); {consequence}'
  )
