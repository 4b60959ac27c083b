"""Audits, controls and subgroups: what speaks against a claim."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fusion_jax.core import types, words
from fusion_jax.report import notes, tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import forest

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
  found = [
    audit
    for name, entry in (summary.get('audits') or {}).items()
    if name != 'tuning'
    for audit in _audits(name, entry)
  ]
  return sorted(found, key=lambda x: not x.alarm)


def audits_in_brief(audits: Sequence[Audit]) -> str:
  """How many alarm, and how many were not possible."""
  if not audits:
    return ''
  alarmed = [x.name for x in audits if x.alarm]
  not_possible = sum(not x.possible() for x in audits)
  text = f'{len(alarmed) or "none"} of {len(audits)} '
  text += 'alarms' if len(alarmed) == 1 else 'alarm'
  if alarmed:
    text += f': {", ".join(alarmed)}'
  return f'{text}; {not_possible} not possible' if not_possible else text


def alarms(summary: Mapping[str, Any]) -> list[Audit]:
  """The audits that alarm."""
  return [x for x in audits(summary) if x.alarm]


def not_said(warnings: Sequence[str], alarms: Sequence[Audit]) -> list[str]:
  """Warnings other than those that repeat an alarm."""
  said = tuple(x.sentence for x in alarms if x.sentence)
  return [line for line in warnings if not (said and line.endswith(said))]


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


def audit_table(found: Sequence[Audit]) -> tables.Table:
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
      Column('outcome', word=True),
      Column('in words', word=True),
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
      for x in found
    ],
    folded=True,
  )


def _outcome(audit: Audit) -> tables.Cell:
  if audit.alarm:
    return tables.Cell('alarm', style='alarm')
  return tables.Cell('no alarm' if audit.possible() else 'not possible')


def _number(number, otherwise, *, signed=False) -> tables.Cell:
  """A number, or the reason why there is none."""
  if number is None:
    return tables.Cell(value='', reason=otherwise)
  return tables.Cell(number=number, signed=signed)


def controls(summary: Mapping[str, Any]) -> tables.Table:
  """What is left of every arm when a modality tells nothing."""
  metric = summary['evaluation']['metric']
  rows = []
  for arm, entry in (summary.get('controls') or {}).items():
    for name, left, loss in _controls(entry, metric):
      rows.append(
        [
          tables.word(arm),
          tables.word(name),
          _number(left, 'only what is lost was kept'),
          _number(loss, 'what is lost was not computed', signed=True),
        ]
      )
  return tables.plain_table(
    'controls',
    'Controls of every fusion arm',
    [
      Column('arm', word=True),
      Column('control', word=True),
      Column(f'{words.metric(metric)} left [95%]', interval=True),
      Column('lost [95%]', interval=True),
    ],
    rows,
    folded=True,
  )


def control_lines(
  summary: Mapping[str, Any], arm: str | None
) -> list[forest.Line]:
  """What one arm loses under every control."""
  entry = (summary.get('controls') or {}).get(arm)
  if not entry:
    return []
  metric = summary['evaluation']['metric']
  return [
    forest.Line(name, loss)
    for name, _, loss in _controls(entry, metric)
    if loss is not None and loss.estimate is not None
  ]


def control_sentences(summary: Mapping[str, Any]) -> list[str]:
  """What the controls say in words, arm by arm."""
  return [
    entry['sentence']
    for entry in (summary.get('controls') or {}).values()
    if entry.get('sentence')
  ]


def fusion_answers(summary: Mapping[str, Any]) -> tables.Table:
  """By arm, three answers to whether its gain is fusion."""
  found = summary.get('controls') or {}
  answers = {True: 'yes', False: 'not shown', None: 'not tested'}
  return tables.plain_table(
    'fusion',
    'Is it fusion?',
    [
      Column('arm', word=True),
      *(Column(x, word=True) for x in _ANSWERS.values()),
    ],
    [
      [
        tables.word(arm),
        *(
          tables.Cell(
            answers.get(x['fusion'].get(k), ''),
            style='yes' if x['fusion'].get(k) else '',
          )
          for k in _ANSWERS
        ),
      ]
      for arm, x in found.items()
      if x.get('fusion')
    ],
    folded=True,
    note=_ENSEMBLE
    if any(
      (x.get('fusion') or {}).get('beats_ensemble') is not None
      for x in found.values()
    )
    else '',
  )


_ANSWERS = {
  'uses_both': 'uses both',
  'interactions': 'uses interactions',
  'beats_ensemble': 'beats an ensemble of the best single modality',
}
_ENSEMBLE = (
  'The ensemble is of two models of the single modality that is best on these '
  'studies; its cost may differ from that of the arm. If both would be one and '
  'the same model nothing was tested.'
)
_SHAPLEY = (
  'The metric is computed with every set of modalities withheld from the '
  'trained model; the value of a modality is what it adds, averaged over all '
  'orders in which modalities can be added. Values add up to the gain over '
  'predicting the prevalence.'
)
_SAMPLING = 'se of orders'
_CONTROLS = {'emap': 'EMAP (no interactions)', 'ensemble': 'single ensemble'}


def _controls(entry, metric):
  """(name, number left, number lost) of every control of an arm."""
  found = entry.get('conditions') or {}
  for name, value in found.items():
    left = text_lib.number((value.get('metrics') or {}).get(metric))
    lost = text_lib.number(value.get('loss'))
    yield control_name(name, entry.get('sides')), left, lost
  for name in _CONTROLS:
    lost = entry.get(name)
    if lost and name not in found and lost.get('estimate') is not None:
      yield control_name(name), None, text_lib.number(lost)


def control_name(
  name: str, sides: Mapping[str, Sequence[str]] | None = None
) -> str:
  """A control as tables name it, with the modalities of the sides if known."""
  if name in _CONTROLS:
    return _CONTROLS[name]
  modality, _, condition = name.rpartition('_')
  return f'{_called(modality, sides or {})} {condition}'.strip()


def _called(name, sides) -> str:
  """A modality, or a side by its modalities."""
  return types.called(name, sides.get(name, ()))


def shapley(summary: Mapping[str, Any]) -> tables.Table:
  """How the gain over the prevalence divides among modalities."""
  rows, sampled = [], False
  for arm, entry in (summary.get('controls') or {}).items():
    sides = entry.get('sides') or {}
    *parts, whole = (entry.get('shapley') or {'': None}).items()
    together = [
      (f'{_called(k, sides)}, together', v)
      for k, v in (entry.get('shapley_of_sides') or {}).items()
    ]
    for name, value in (*parts, *together, whole):
      if isinstance(value, Mapping) and 'estimate' in value:
        error = value.get('sampling_se')
        sampled |= error is not None
        rows.append(
          [
            tables.word(arm),
            tables.word(types.called(name)),
            tables.Cell(number=text_lib.number(value), signed=True),
            tables.Cell() if error is None else tables.plain(error),
          ]
        )
  if not sampled:
    rows = [row[:-1] for row in rows]
  return tables.plain_table(
    'shapley',
    'Shapley values of the modalities',
    [
      Column('arm', word=True),
      Column('modality', word=True),
      Column('value [95%]', interval=True),
      *([Column(_SAMPLING)] if sampled else []),
    ],
    rows,
    folded=True,
    note=_SHAPLEY,
  )


def group_name(group: Mapping[str, Any]) -> str:
  """A group as a heading names it."""
  return ', '.join(f'{k} {v}' for k, v in group.items())


def subgroups(summary: Mapping[str, Any]) -> tables.Table:
  """The metric of comparison and the gain in every subgroup."""
  metric = summary['evaluation']['metric']
  parts = summary.get('subgroups') or ()
  with_events = any(part.get('events') is not None for part in parts)
  groups = []
  for part in parts:
    size = [
      tables.count(part.get('studies')),
      tables.count(part.get('patients')),
      *([_events(part.get('events'))] if with_events else []),
    ]
    rows = []
    for arm, entry in (part.get('arms') or {}).items():
      gain = text_lib.number(entry.get('gain'))
      rows.append(
        [
          tables.word(arm),
          *size,
          _number(
            text_lib.number((entry.get('metrics') or {}).get(metric)),
            f'{metric} was not computed',
          ),
          _number(gain, 'only fusion arms have a gain', signed=True),
        ]
      )
    if rows:
      groups.append((group_name(part['group']), rows))
  return tables.Table(
    'subgroups',
    f'{words.metric(metric)} and gain by subgroup',
    [
      Column('arm', word=True),
      Column('studies'),
      Column('patients'),
      *([Column('events')] if with_events else []),
      Column(
        f'{words.metric(metric)} [95%]',
        interval=True,
        meaning=f'{notes.averaged(summary)}, in this group; bounds as those of '
        'the first table, from 500 redraws of patients at most',
      ),
      Column(
        'gain [95%]',
        interval=True,
        meaning='over the arm that is the best single modality of all studies, '
        'or was named; bounds hold for one arm in one group',
      ),
    ],
    groups,
    folded=True,
  )


def declared(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
  """The subgroups that were declared and are large enough to be told.

  Whether a modality was recorded is no group of people.
  """
  return [
    x
    for x in summary.get('subgroups') or ()
    if not x.get('suppressed')
    and not all(c.startswith('available_') for c in x['group'])
  ]


def without_models(summary: Mapping[str, Any]) -> dict[str, int]:
  """By arm, in how many test parts it has no model, where there are any."""
  lacking = {
    arm: len(summary['folds']) - len(x['folds'])
    for arm, x in summary['arms'].items()
    if x.get('folds')
  }
  return {arm: count for arm, count in lacking.items() if count > 0}


def suppressed(summary: Mapping[str, Any]) -> list[str]:
  """How many groups were too small, by column.

  Neither their levels nor their sizes are told: a level of one patient could
  name the patient.
  """
  counts: dict[str, int] = {}
  for part in summary.get('subgroups') or ():
    if part.get('suppressed'):
      columns = ' x '.join(part['group'])
      counts[columns] = counts.get(columns, 0) + 1
  return [
    f'{columns}: {count} {"group was" if count == 1 else "groups were"} too '
    'small to be reported.'
    for columns, count in counts.items()
  ]


def _events(value) -> tables.Cell:
  if isinstance(value, Mapping):
    return tables.word(', '.join(f'{k} {v}' for k, v in value.items()))
  return tables.count(value)


def subgroup_lines(
  summary: Mapping[str, Any], arm: str | None
) -> list[forest.Line]:
  """The gain of one arm in every subgroup, by the columns that define it."""
  lines, heading = [], None
  for part in summary.get('subgroups') or ():
    entry = (part.get('arms') or {}).get(arm)
    gain = entry and text_lib.number(entry.get('gain'))
    if not gain or gain.estimate is None:
      continue
    columns = ' x '.join(part['group'])
    name = ', '.join(map(str, part['group'].values()))
    size = f' (n {part.get("studies")})'
    lines.append(
      forest.Line(
        f'{name}{size}', gain, heading=columns if columns != heading else ''
      )
    )
    heading = columns
  return lines


def equalised_odds(summary: Mapping[str, Any]) -> tables.Table:
  """Largest differences of rates between the levels of a column."""
  return tables.plain_table(
    'equalised_odds',
    'Largest gaps between groups at the chosen threshold',
    [
      Column('column', word=True),
      Column('arm', word=True),
      Column('true positive rate [95%]', interval=True),
      Column('false positive rate [95%]', interval=True),
    ],
    [
      [
        tables.word(_column(x)),
        tables.word(x['arm']),
        *(
          _number(text_lib.number(x.get(k)), 'this gap was not computed')
          for k in ('tpr_gap', 'fpr_gap')
        ),
      ]
      for x in summary.get('equalised_odds') or ()
    ],
    folded=True,
  )


def _column(found) -> str:
  label = f', {found["label"]}' if found.get('label') else ''
  return f'{found["column"]}{label}'
