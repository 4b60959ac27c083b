"""Controls: what is left of an arm when a modality tells nothing."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import types, words
from fusion_jax.report import prose, tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import forest

Column = tables.Column


def table(summary: Mapping[str, Any]) -> tables.Table:
  """What is left of every arm when a modality tells nothing."""
  metric = summary['evaluation']['metric']
  rows = []
  for arm, entry in (summary.get('controls') or {}).items():
    for name, left, loss in _controls(entry, metric):
      rows.append(
        [
          tables.word(arm),
          tables.word(name),
          tables.number(left, 'only what is lost was kept'),
          tables.number(loss, 'what is lost was not computed', signed=True),
        ]
      )
  return tables.plain_table(
    'controls',
    'Controls of every fusion arm',
    [
      *tables.of_words('arm', 'control'),
      Column(f'{words.metric(metric)} left [95%]', interval=True),
      Column('lost [95%]', interval=True),
    ],
    rows,
  )


def lines(summary: Mapping[str, Any], arm: str | None) -> list[forest.Line]:
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


def sentences(summary: Mapping[str, Any]) -> list[str]:
  """What the controls say in words, arm by arm."""
  return [
    entry['sentence']
    for entry in (summary.get('controls') or {}).values()
    if entry.get('sentence')
  ]


def fusion_answers(summary: Mapping[str, Any]) -> tables.Table:
  """By arm, three answers to whether its gain is fusion."""
  by_arm = summary.get('controls') or {}
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
      for arm, x in by_arm.items()
      if x.get('fusion')
    ],
    note=prose.passage('sections/controls', 'ensemble')
    if any(
      (x.get('fusion') or {}).get('beats_ensemble') is not None
      for x in by_arm.values()
    )
    else '',
  )


_ANSWERS = {
  'uses_both': 'uses both',
  'interactions': 'uses interactions',
  'beats_ensemble': 'beats an ensemble of the best single modality',
}
_DRAWN = 'se of orders'
_CONTROLS = {'emap': 'EMAP (no interactions)', 'ensemble': 'single ensemble'}


def _controls(entry, metric):
  """(name, number left, number lost) of every control of an arm."""
  conditions = entry.get('conditions') or {}
  for name, value in conditions.items():
    left = text_lib.number((value.get('metrics') or {}).get(metric))
    lost = text_lib.number(value.get('loss'))
    yield name_of(name, entry.get('sides')), left, lost
  for name in _CONTROLS:
    lost = entry.get(name)
    if lost and name not in conditions and lost.get('estimate') is not None:
      yield name_of(name), None, text_lib.number(lost)


def name_of(name: str, sides: Mapping[str, Sequence[str]] | None = None) -> str:
  """A control as tables name it, with the modalities of the sides if known."""
  if name in _CONTROLS:
    return _CONTROLS[name]
  modality, _, condition = name.rpartition('_')
  return f'{_called(modality, sides or {})} {condition}'.strip()


def _called(name, sides) -> str:
  """A modality, or a side by its modalities."""
  return types.called(name, sides.get(name, ()))


def shapley(summary: Mapping[str, Any]) -> tables.Table:
  """How the gain over the prevalence divides among modalities and sides."""
  rows, drawn = [], False
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
        drawn |= error is not None
        rows.append(
          [
            tables.word(arm),
            tables.word(types.called(name)),
            tables.entry(value, signed=True),
            tables.Cell() if error is None else tables.plain(error),
          ]
        )
  if not drawn:
    rows = [row[:-1] for row in rows]
  return tables.plain_table(
    'shapley',
    'Shapley values of the modalities',
    [
      *tables.of_words('arm', 'modality'),
      Column('value [95%]', interval=True),
      *([Column(_DRAWN)] if drawn else []),
    ],
    rows,
    note=prose.passage('sections/controls', 'shapley') if rows else '',
  )
