"""Audits of facts: does what carries no medicine predict the label?"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.ablation import audit_config as config_lib
from fusion_jax.ablation import audit_work as work_lib
from fusion_jax.core import errors, links
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import facts, modality
from fusion_jax.data import kind as kinds
from fusion_jax.data.kinds import table
from fusion_jax.training import classical

ELASTIC_NET = 'elastic_net'
TREES = 'trees'
# Unknown codes that a sentence has room for.
_MOST = 3


@dataclasses.dataclass(frozen=True)
class Shortcut:
  """An audit of facts.

  Attributes:
    of: the facts.
    what: how a sentence names them, in the plural; `{codes}` stands for values
      that are declared unknown, where there are any.
    none: why there are none, where there are none.
    advice: what to look into if they predict the label.
  """

  of: Callable[[cohort_lib.Cohort], facts.Facts]
  what: str
  none: str
  advice: str


SHORTCUTS: Mapping[str, Shortcut] = {
  config_lib.MISSINGNESS: Shortcut(
    facts.missingness,
    'Gaps in values and modalities{codes} alone',
    'nothing is missing, or in all studies alike',
    'any arm that sees what is missing may rank studies by how they were '
    'recorded.',
  ),
  config_lib.ACQUISITION: Shortcut(
    facts.acquisition,
    'Borders, number and file facts of the images alone',
    'there are no images, or they do not differ in these facts',
    'images of different labels may have been made in different ways.',
  ),
  config_lib.BRIGHTNESS: Shortcut(
    facts.brightness,
    'Brightness, contrast and mean colours of the images alone',
    'there are no images, or they do not differ in these facts',
    'find out whether that is how images were taken or what they show.',
  ),
  config_lib.IDENTIFIERS: Shortcut(
    facts.identifiers,
    'The names of studies and patients alone',
    'the names do not differ in form, number or order',
    'studies may have been named or numbered by something that goes with the '
    'label.',
  ),
  config_lib.ROW_ORDER: Shortcut(
    facts.row_order,
    'Row numbers in the table alone',
    'there is one study only',
    'the table may be sorted by something that goes with the label.',
  ),
  config_lib.TIME: Shortcut(
    facts.time,
    'Times of the predictions alone',
    'the cohort names no index_time',
    'labels, or who was recorded, changed over time.',
  ),
  config_lib.SUBGROUP_ONLY: Shortcut(
    facts.subgroups,
    'The declared groups and the site alone',
    'no groups and no site are declared, or they do not vary',
    'an arm may score well by telling groups apart; see the metrics within '
    'groups.',
  ),
}


def shortcuts(
  work: work_lib.Work, names: Sequence[str]
) -> dict[str, dict[str, Any]]:
  """Audits of facts, evaluated together."""
  tables, learners, reasons, columns = [], {}, {}, {}
  for name in names:
    of = SHORTCUTS[name].of(work.cohort).varying()
    columns[name] = len(of)
    if not len(of):
      reasons[name] = SHORTCUTS[name].none
      continue
    for split in work.splits:
      try:
        learner, logits = _shortcut(work, of, split)
      except errors.UserError as e:
        reasons[name] = str(e)
        continue
      learners.setdefault(name, []).append(learner)
      tables.append(work.table(name, split, 0, logits))
  values = work.evaluate(tables)
  found = {}
  for name in names:
    entry = values.get(name, work_lib.unknown(reasons.get(name, '')))
    sentence, alarm = _judge(work, name, entry)
    found[name] = {
      **work.head(entry),
      'learner': _most(learners.get(name, [])),
      'features': columns[name],
      'alarm': alarm,
      'sentence': sentence,
    }
  return found


def _shortcut(work, of: facts.Facts, split) -> tuple[str, np.ndarray]:
  """The better learner on validation and its (test, s) logits."""
  numeric = _filled(of.numeric, split, work.seed)
  n = len(work.cohort)
  data = table.Data(
    _stacked(numeric, n, np.float64),
    tuple(of.numeric),
    _stacked(list(of.categorical.values()), n, object),
    tuple(of.categorical),
  )
  shown = modality.Modality.of(table.NAME, modality.RECORD, data)
  kind = kinds.of(shown)
  fit = kind.fit(shown, split.train, work.preprocessing)
  linear, trees = (
    kind.columns(fit, None, shown, x) for x in (kinds.LINEAR, kinds.TREES)
  )
  best = None
  for learner, x, fit in (
    (ELASTIC_NET, linear.x, classical.fit_elastic_net),
    (TREES, trees.x, _trees(trees.is_categorical)),
  ):
    model = work.fit(fit, x, work.cohort.labels, split)
    valid = split.valid
    loss = links.mean_loss(
      work.task,
      model.logits(x[valid]),
      work.cohort.labels[valid],
      work.weight(valid),
    )
    if best is None or loss < best[0]:
      best = loss, learner, model.logits(x[split.test])
  return best[1:]


def _judge(work, name, entry) -> tuple[str, bool]:
  """The sentence of an audit of facts and whether it alarms."""
  shortcut = SHORTCUTS[name]
  what = shortcut.what.format(codes=_codes(work.cohort))
  if math.isnan(entry['low']):
    return f'Not measured: {entry["reason"].rstrip(".")}.', False
  alarm = entry['low'] > work.chance + work.config.margin
  if alarm:
    return (
      f'{what} predict the label with {work.shown(entry)}: {shortcut.advice}'
    ), True
  return f'{what} reach {work.shown(entry)}: no alarm.', False


def _codes(cohort) -> str:
  found = facts.coded(cohort)
  if not found:
    return ''
  more = f', {len(found) - _MOST} more' if len(found) > _MOST else ''
  return f' and values declared unknown ({", ".join(found[:_MOST])}{more})'


def _trees(is_categorical):
  def fit(**arguments):
    return classical.fit_trees(is_categorical=is_categorical, **arguments)

  return fit


def _stacked(columns, n, dtype) -> np.ndarray:
  out = np.empty((n, len(columns)), dtype)
  for at, values in enumerate(columns):
    out[:, at] = values
  return out


def _filled(numeric, split, seed) -> list[np.ndarray]:
  """(n,) columns whose NaN are values of training studies drawn at random.

  A study without an image has no facts about it. Any fixed value in their
  place would say that it has none, which is another audit's business.
  """
  rng = np.random.default_rng([seed, split.repeat, split.fold])
  found = []
  for values in numeric.values():
    known = values[split.train]
    known = known[~np.isnan(known)]
    gaps = np.isnan(values)
    values = values.copy()
    values[gaps] = rng.choice(known, gaps.sum()) if len(known) else 0.0
    found.append(values)
  return found


def _most(learners: Sequence[str]) -> str | None:
  """The learner that was better in most folds."""
  if not learners:
    return None
  return max(sorted(set(learners)), key=learners.count)
