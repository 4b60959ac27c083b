"""Attempts to predict with what should not predict, as a summary has them."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import tables
from fusion_jax.report import text as text_lib

Column = tables.Column


@dataclasses.dataclass(frozen=True)
class Audit:
  """One attempt to predict with what should not predict.

  Attributes:
    name: what was tried.
    metric: of `number`, where it is named.
    number: how well it predicts; None where it was not possible.
    chance: what it is by chance.
    margin: how far above chance is an alarm.
    learner: what was fitted.
    alarm: whether it is one.
    sentence: the same in words.
  """

  name: str
  metric: str
  number: text_lib.Number | None
  chance: float | None
  margin: float | None
  learner: str
  alarm: bool
  sentence: str

  def possible(self) -> bool:
    """Whether it came to a result."""
    known = self.number is not None and self.number.estimate is not None
    return self.alarm or known


def audits(summary: Mapping[str, Any]) -> list[Audit]:
  """All audits, alarms first; the account of tuning is none."""
  attempts = [
    audit
    for name, entry in (summary.get('audits') or {}).items()
    if name != 'tuning'
    for audit in _audits(name, entry)
  ]
  return sorted(attempts, key=lambda x: not x.alarm)


def alarms(summary: Mapping[str, Any]) -> list[Audit]:
  """The audits that alarm."""
  return [x for x in audits(summary) if x.alarm]


def other_warnings(
  warnings: Sequence[str], alarms: Sequence[Audit]
) -> list[str]:
  """Warnings other than those that repeat an alarm."""
  repeated = tuple(x.sentence for x in alarms if x.sentence)
  return [
    line for line in warnings if not (repeated and line.endswith(repeated))
  ]


def _audits(name: str, entry: Any) -> Iterator[Audit]:
  """One audit, or several that were grouped under one name."""
  if not isinstance(entry, Mapping):
    return
  if 'alarm' not in entry and 'sentence' not in entry:
    for key, value in entry.items():
      yield from _audits(f'{name}: {key}', value)
    return
  metric, number = '', None
  if 'estimate' in entry:
    metric, number = entry.get('metric', ''), text_lib.number(entry)
  else:
    for key, value in entry.items():
      if isinstance(value, Mapping) and 'estimate' in value:
        metric, number = key, text_lib.number(value)
        break
  if number is None and entry.get('reason'):
    number = text_lib.Number(None, reason=entry['reason'])
  yield Audit(
    name.replace('_', ' '),
    metric,
    number,
    entry.get('chance'),
    entry.get('margin', entry.get('threshold')),
    entry.get('learner') or '',
    bool(entry.get('alarm')),
    entry.get('sentence') or '',
  )


def table(audits: Sequence[Audit]) -> tables.Table:
  """One row per audit."""
  return tables.plain_table(
    'audits',
    'What should not predict the label, and whether it does',
    [
      Column('audit', word=True),
      Column('result [95%]', interval=True),
      Column('of', word=True),
      Column('chance'),
      Column('alarm margin'),
      *tables.of_words('outcome', 'in words'),
    ],
    [
      [
        tables.word(x.name),
        tables.plain(None, 'the audit gave no number')
        if x.number is None
        else tables.Cell(number=x.number),
        tables.word(words.metric(x.metric), value=x.metric),
        *(
          tables.plain(v, '' if v is not None else f'it has no {name}')
          for name, v in (('chance', x.chance), ('alarm margin', x.margin))
        ),
        _outcome(x),
        tables.word(x.sentence),
      ]
      for x in audits
    ],
  )


def _outcome(audit: Audit) -> tables.Cell:
  if audit.alarm:
    return tables.Cell('alarm', style='alarm')
  return tables.Cell('no alarm' if audit.possible() else 'not possible')
