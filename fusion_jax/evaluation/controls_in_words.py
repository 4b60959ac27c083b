"""What controls say of an arm: whether its gain is fusion, in words."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import types, words
from fusion_jax.evaluation import conditions as names
from fusion_jax.evaluation import sentences

SAME = 'both models of the ensemble are one and the same'


def judge(conditions: Mapping[str, Any]) -> dict[str, bool | None]:
  """The three answers, each True, False, or None where it was not tested."""
  losses = [_above(conditions, name) for name in names.PERMUTED]
  uses_both = None if None in losses else all(losses)
  return {
    'uses_both': False if False in losses else uses_both,
    'interactions': _above(conditions, names.EMAP),
    'beats_ensemble': _above(conditions, names.ENSEMBLE),
  }


def sentence(
  arm: str,
  conditions: Mapping[str, Any],
  fusion: Mapping[str, bool | None],
  *,
  metric: str,
  single: str,
  empty: bool,
  sides: Mapping[str, Sequence[str]],
) -> str:
  """What the controls say of an arm.

  Args:
    arm: its name.
    conditions: entries by condition.
    fusion: what `judge` says of them.
    metric: of comparison.
    single: the arm that the ensemble is of, and what it is.
    empty: whether both models of the ensemble are one and the same.
    sides: the modalities of each side; empty where they are not known.
  """
  metric = words.metric(metric)
  uses, beats = fusion['uses_both'], fusion['beats_ensemble']
  said = []
  if uses is not None:
    exchanged = [
      f'the {types.called(m, sides.get(m, ()))} among patients makes its '
      f'{metric} worse by {_shown(conditions, name)}'
      for m, name in zip(names.SIDES, names.PERMUTED, strict=True)
      if _above(conditions, name) is not None
    ]
    both = 'both modalities'
    if any(len(x) > 1 for x in sides.values()):
      both = 'both sides'
    start = f'uses {both}' if uses else f'is not shown to use {both}'
    said.append(f'{start}: exchanging {", exchanging ".join(exchanged)}')
  if fusion['interactions'] is not None:
    has = 'has' if fusion['interactions'] else 'is not shown to have'
    said.append(
      f'{has} interactions that matter: without them its {metric} is worse by '
      f'{_shown(conditions, names.EMAP)}'
    )
  if beats is not None:
    verb = 'beats' if beats else 'is not shown to beat'
    said.append(
      f'{verb} an ensemble of two models of {single}: '
      f'its {metric} is better by {_shown(conditions, names.ENSEMBLE)}'
    )
  alone = ''
  if empty:
    alone = (
      f' An ensemble of two models of {single}, is no control here: {SAME}.'
    )
  if not said:
    return f'{arm}: whether its gain is fusion was not tested.{alone}'
  if uses and beats:
    verdict = 'The gain is fusion'
    if fusion['interactions']:
      verdict += ', interactions included'
    elif fusion['interactions'] is False:
      verdict += '; adding up the two may be all of it'
  elif uses is False or beats is False:
    verdict = 'That a gain is due to fusion is not shown'
  else:
    verdict = 'Whether a gain is due to fusion was not fully tested'
  return f'{arm} {"; it ".join(said)}. {verdict}.{alone}'


def _above(conditions, name) -> bool | None:
  if name not in conditions or math.isnan(conditions[name]['loss']['low']):
    return None
  return conditions[name]['loss']['low'] > 0


def _shown(conditions, name) -> str:
  x = conditions[name]['loss']
  estimate, low, high = map(
    sentences.number, (x['estimate'], x['low'], x['high'])
  )
  return f'{estimate} ({low} to {high})'
