"""Example studies, their maps, and what record columns are worth to an arm.

They are no part of a summary: examples.json holds them, which is there only
where the last command asked for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.report import prose, sections, tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import examples as figure
from fusion_jax.report.figures import forest, style

# Begins the names of figures and tables that show single patients.
PRIVATE = 'example'
# Columns that are drawn; all are in the table.
_DRAWN = 20

_SECTION = 'sections/examples'


def section(examples: Mapping[str, Any] | None) -> sections.Section | None:
  """All that examples.json holds; None where there is none."""
  if not examples:
    return None
  importance = examples['importance']
  lead = [*examples['reasons']]
  if importance:
    lead.append(
      importance.get('reason') or _text('importance', arm=examples['arm'])
    )
  return sections.build(
    PRIVATE + 's',
    examples=bool(examples['examples']),
    groups=[
      {**x, 'heading': _heading(examples, x)} for x in examples['groups']
    ],
    kind=examples['task']['kind'],
    arm=examples['arm'],
    single=examples['single'],
    maps=any(x['map'] for x in examples['examples']),
    unit=_unit(examples),
    lead=lead,
    figures=[*_pictures(examples), _forest(examples)],
    tables=[_studies(examples), _records(examples), _columns(examples)],
  )


def _text(passage: str, **context: Any) -> str:
  return prose.passage(_SECTION, passage, **context)


def _heading(examples, group) -> str:
  return _text('heading', group=group, kind=examples['task']['kind'])


def _unit(examples) -> str:
  return _text('unit', kind=examples['task']['kind'])


def _by_group(examples) -> list[tuple[str, list[Mapping[str, Any]]]]:
  by_number = {x['number']: x for x in examples['examples']}
  return [
    (_heading(examples, group), [by_number[k] for k in group['numbers']])
    for group in examples['groups']
  ]


def _truth(example) -> str:
  truth = example['truth']
  return truth if isinstance(truth, str) else text_lib.plain(truth)


def _pictures(examples) -> list[style.Drawn | None]:
  unit = _unit(examples)
  return [
    sections.drawn(
      f'{PRIVATE}s',
      f'{PRIVATE}_{example["number"]}',
      figure.draw(
        example['image'],
        height=example['height'],
        width=example['width'],
        change=example['map'],
        unit=f'change in {unit}',
      ),
      number=example['number'],
      heading=heading,
      truth=_truth(example),
      scores=[
        {'arm': a, 'score': x, 'threshold': example['thresholds'][a]}
        for a, x in example['scores'].items()
      ],
      images=example['images'],
      record=[
        f'{x["column"]} {_value(x)} ({_text("beside", **x)})'
        for x in example['record']
      ],
      change=example['map'],
      unit=unit,
    )
    for heading, group in _by_group(examples)
    for example in group
    if example['image']
  ]


def _value(entry) -> str:
  value = entry['value']
  if value is None:
    return 'missing'
  return value if isinstance(value, str) else text_lib.plain(value)


def _studies(examples) -> tables.Table:
  arms = dict.fromkeys(a for x in examples['examples'] for a in x['scores'])
  called = [
    a
    for a in arms
    if any(x['thresholds'][a] is not None for x in examples['examples'])
  ]
  return tables.Table(
    f'{PRIVATE}s',
    'Examples and what they were given',
    [
      tables.Column('number'),
      tables.Column('truth', word=True),
      *(tables.Column(a) for a in arms),
      *(tables.Column(f'{a} positive from') for a in called),
      tables.Column('models'),
    ],
    [
      (
        heading,
        [
          [
            tables.count(x['number']),
            tables.word(_truth(x), value=x['truth']),
            *(tables.plain(x['scores'][a]) for a in arms),
            *(tables.plain(x['thresholds'][a]) for a in called),
            tables.count(x['models']),
          ]
          for x in shown
        ],
      )
      for heading, shown in _by_group(examples)
    ],
    note=_text('studies', kind=examples['task']['kind']),
    shown=True,
    printed=False,
  )


def _records(examples) -> tables.Table:
  rows: list[Sequence[tables.Cell]] = [
    [
      tables.count(example['number']),
      tables.word(x['column']),
      tables.word(_value(x), value=x['value'] or ''),
      tables.word(_text('beside', **x)),
    ]
    for example in examples['examples']
    for x in example['record']
  ]
  return tables.plain_table(
    f'{PRIVATE}_records',
    'Their most telling record values',
    [
      tables.Column('number'),
      *tables.of_words('column', 'value', 'beside training'),
    ],
    rows,
    note=_text('records'),
    printed=False,
  )


def _importance(examples) -> Sequence[Mapping[str, Any]]:
  return (examples['importance'] or {}).get('columns') or ()


def _forest(examples) -> style.Drawn | None:
  columns = _importance(examples)
  canvas = columns and forest.draw(
    [forest.Line(x['column'], text_lib.number(x)) for x in columns[:_DRAWN]],
    axis=f'loss in {examples["importance"]["metric"]}',
    signed=False,
  )
  return sections.drawn(
    f'{PRIVATE}s',
    'importance',
    canvas or None,
    figure='forest',
    wide=True,
    arm=examples['arm'],
    importance_metric=(examples['importance'] or {}).get('metric'),
    note=(examples['importance'] or {}).get('note'),
  )


def _columns(examples) -> tables.Table:
  importance = examples['importance'] or {}
  return tables.plain_table(
    'importance',
    _text(
      'columns',
      importance_metric=importance.get('metric'),
      arm=examples['arm'],
    ),
    [
      tables.Column('column', word=True),
      tables.Column('loss [95%]', interval=True),
      tables.Column('sd of orders'),
    ],
    [
      [
        tables.word(x['column']),
        tables.entry(x),
        tables.plain(x['sd'], x.get('reason', '')),
      ]
      for x in _importance(examples)
    ],
    note=importance.get('note', ''),
  )
