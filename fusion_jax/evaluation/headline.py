"""The question, the one gain of a page, and who may be left out of it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import advice, power, sentences
from fusion_jax.evaluation import assessment as assessment_lib
from fusion_jax.evaluation import comparison as comparison_lib
from fusion_jax.evaluation import verdict as verdict_lib

TIED_SINGLES = 'tied_singles'
CHOICE_OF_ARM = 'choice_of_arm'

# Leans smaller than this are not worth a line.
_LEAN = 0.002


def missing_single(
  expected: Sequence[str],
  present: Sequence[str],
  facts: Mapping[str, Mapping[str, Any]],
) -> str:
  """Why nothing can be claimed over the best single modality; else ''.

  Args:
    expected: single-modality arms that were to be run.
    present: those with predictions.
    facts: by arm, with its `modalities` where they are known.
  """
  if not present:
    return ''
  for arm in expected:
    if arm not in present:
      return f"the single-modality arm '{arm}' has no predictions"
  seen = {
    m for arm in present for m in facts.get(arm, {}).get('modalities', ())
  }
  if not seen:
    return ''
  for modality in _modalities(facts):
    if modality not in seen:
      return f"no single-modality arm sees the modality '{modality}'"
  return ''


def gain_arm(compared: comparison_lib.Compared, use: str | None) -> int | None:
  """The place of the arm whose gain is the page's.

  That of the arm to use; else of the superior arm with the largest lower
  bound; else the arm with the largest gain.
  """
  gains = compared.gains
  if not gains:
    return None
  arms = [g.arm for g in gains]
  if use in arms:
    return arms.index(use)
  superior = [
    i for i, g in enumerate(gains) if g.verdict == verdict_lib.SUPERIOR
  ]
  if superior:
    return max(superior, key=lambda i: gains[i].low)
  known = [i for i, g in enumerate(gains) if not math.isnan(g.difference)]
  return max(known, key=lambda i: gains[i].difference, default=None)


def use(
  work: assessment_lib.Work,
  assessment: assessment_lib.Assessment,
  useful: Mapping[str, Mapping[str, Any] | None],
  costs: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
  """Which arm to use; see advice.py.

  Args:
    work: what was asked.
    assessment: of all studies.
    useful: what `probabilities.of` says.
    costs: by arm, with `parameters` where they are known.
  """
  fusions = [g.arm for g in assessment.compared.gains]
  chosen = advice.choose(
    gains=assessment.compared.gains,
    best_single=work.reference if work.named else assessment.best_single,
    enough=advice.good_enough(
      arms=work.arms,
      fusions=fusions,
      values=assessment.values,
      families=assessment.source.families(assessment.values, work.sign),
      margin=work.margin,
    ),
    miscalibrated={a: x['miscalibrated'] for a, x in useful.items() if x},
    parameters={a: c.get('parameters') for a, c in costs.items()},
    margin=work.config.margin,
  )
  return advice.described(
    chosen,
    margin=work.config.margin,
    costs=costs,
    slopes={a: x and x['slope'] for a, x in useful.items()},
    unjudged={
      a: x['miscalibrated_reason']
      for a, x in useful.items()
      if x and x['miscalibrated'] is None
    },
  )


def gain(
  work: assessment_lib.Work,
  assessment: assessment_lib.Assessment,
  i: int | None,
  variability: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any] | None:
  """The one gain of the page; None if nothing was compared.

  Args:
    work: what was asked.
    assessment: of all studies.
    i: place of the arm; see `gain_arm`.
    variability: by arm, what training again changes.
  """
  if i is None:
    return None
  entry = assessment.comparisons[i]
  arm, single = entry['arm'], entry['single']
  spread = variability[arm]
  sd = next(
    (
      (name, x)
      for name, x in (
        ('fold_sd', entry['without_factor']['fold_sd']),
        ('seed_sd', spread['seed_sd']),
      )
      if x is not None and not math.isnan(x)
    ),
    None,
  )
  names = (
    'arm',
    'single',
    'metric',
    'difference',
    'low',
    'high',
    'low90',
    'high90',
    'p_adjusted',
    'verdict',
    'within_margin',
    'fragile',
  )
  return {
    **{name: entry[name] for name in names},
    **({'reason': entry['reason']} if 'reason' in entry else {}),
    'estimate': assessment.metrics[arm][work.metric]['estimate'],
    'single_estimate': assessment.metrics[single][work.metric]['estimate'],
    'training_sd': sd[1] if sd else None,
    'training_sd_of': sd[0] if sd else None,
    **({} if sd else {'training_sd_reason': 'one fold and one seed'}),
    'leans': _leans(assessment.compared, i),
    'added': [
      {
        name: x[name]
        for name in ('single', 'difference', 'low', 'high', 'reason')
        if name in x
      }
      for x in entry['against']
    ],
  }


def question(
  work: assessment_lib.Work,
  assessment: assessment_lib.Assessment,
  *,
  i: int | None,
  facts: Mapping[str, Mapping[str, Any]],
  complete: assessment_lib.Assessment | None,
) -> dict[str, Any]:
  """One verdict for all fusion arms, without the sentence.

  Args:
    work: what was asked.
    assessment: of all studies.
    i: place of the arm whose gain is the page's.
    facts: by arm, with its `modalities` where they are known.
    complete: the same on complete cases, if there are any.
  """
  gains = assessment.compared.gains
  verdicts = [g.verdict for g in gains]
  verdict = verdict_lib.of_question(verdicts)
  needs = {
    g.arm: assessment_lib.needed(
      assessment.compared,
      k,
      margin=work.margin,
      patients=len(work.resamples.patients),
    )
    for k, g in enumerate(gains)
  }
  return {
    'text': _text(work, facts),
    'verdict': verdict,
    'words': verdict_lib.in_words(verdict, work.config.margin),
    'arm': gains[i].arm if i is not None else None,
    'counts': {v: verdicts.count(v) for v in verdict_lib.VERDICTS},
    'not_in_headline': _others(gains, verdict),
    'patients_needed': _least(needs),
    'complete_cases': None
    if complete is None
    else verdict_lib.of_question([g.verdict for g in complete.compared.gains]),
  }


def _modalities(facts) -> list[str]:
  """In the order of the arms that see most, which is the cohort's."""
  seen = [entry.get('modalities', ()) for entry in facts.values()]
  seen.sort(key=len, reverse=True)
  return list(dict.fromkeys(m for modalities in seen for m in modalities))


def _text(work, facts) -> str:
  """The question, in the words of the cohort's own modalities."""
  order = [*types.SIDES, *_modalities(facts)]
  sides = [types.called(m) for m in sorted(_modalities(facts), key=order.index)]
  joined = ' and '.join([', '.join(sides[:-1]), sides[-1]] if sides[1:] else [])
  combining = f'combining {joined}' if joined else 'combining modalities'
  if work.named:
    if work.reference in work.singles:
      return f"Is {combining} better than '{work.reference}'?"
    return f"Is a fusion arm better than '{work.reference}'?"
  if len(work.singles) == 1:
    return f"Is {combining} better than '{work.singles[0]}' alone?"
  return f'Is {combining} better than the best of them alone?'


def _others(gains, verdict) -> list[str]:
  """What the verdict of the question does not say."""
  lines = []
  for other in (verdict_lib.INFERIOR, verdict_lib.INCONCLUSIVE):
    arms = [g.arm for g in gains if g.verdict == other]
    if arms and other != verdict:
      lines.append(f'{sentences.arms(len(arms))} {other}: {", ".join(arms)}.')
  within = [g.arm for g in gains if g.within_margin]
  if within:
    lines.append(
      f'{sentences.arms(len(within))} superior or inferior by less than the '
      f'margin: {", ".join(within)}.'
    )
  return lines


def _least(needs: Mapping[str, power.Needed]) -> dict[str, Any]:
  """The arm with the smallest need for each verdict."""
  entry: dict[str, Any] = {}
  for name, least in zip(
    ('superior', 'equivalent'), power.least(needs), strict=True
  ):
    entry[name] = least and {'arm': least[0], 'patients': least[1]}
    if least is None:
      reasons = [getattr(n, f'{name}_reason') for n in needs.values()]
      entry[f'{name}_reason'] = next(
        filter(None, reasons), 'nothing was compared'
      )
  return entry


def _leans(compared, i) -> list[dict[str, Any]]:
  """Which way the estimate of the page's gain lies off, and how far."""
  family = compared.family
  difference, covariance = family.difference, family.covariance
  sizes = {
    TIED_SINGLES: power.tied_lean(
      difference[i], covariance[i, :, i], family.factor
    ),
    CHOICE_OF_ARM: power.choice_lean(difference, covariance, family.factor),
  }
  return [
    {
      'cause': cause,
      'size': size,
      'sentence': sentences.of_lean(
        cause == CHOICE_OF_ARM, size, len(compared.gains), compared.singles
      ),
    }
    for cause, size in sizes.items()
    if not np.isnan(size) and abs(size) > _LEAN
  ]
