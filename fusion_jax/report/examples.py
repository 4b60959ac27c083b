"""Example studies, their maps, and what record columns are worth to an arm.

They are no part of a summary: examples.json holds them, which is there only
where the last command asked for it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import types, words
from fusion_jax.report import sections, tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import examples as figure
from fusion_jax.report.figures import forest, style

# Begins the names of figures and tables that show single patients.
PRIVATE = 'example'
# Columns that are drawn; all are in the table.
_DRAWN = 20

_KINDS = {'repaired': 'repaired by fusion', 'broken': 'broken by fusion'}
_ERRORS = {'repaired': 'closer with fusion', 'broken': 'farther with fusion'}
_PRIVACY = (
  'This section shows images and record values of single patients: hand the '
  'page, figures/example_* and tables/example* on only to those who may see '
  'them. No id is shown; example_studies.csv in the run folder says which '
  'study each number is. The same command without --examples takes all of it '
  'away.'
)
_CALLS = (
  'Repaired are studies about which most models of {arm} are right and most of '
  '{single} wrong; broken is the reverse. {how} Each is a test study of the '
  'models that are shown with it. Those whose score of the truth changed most '
  'come first: they are extremes, not typical, and {arm} was chosen on the '
  'same studies.'
)
_THRESHOLD = (
  "A model calls a study positive at the threshold that maximises Youden's J "
  'on the validation part of its fold.'
)
_CLASS = 'A model calls the class that is most probable to it.'
_DISTANCE = (
  'Closer are studies whose absolute error is smaller with {arm} than with '
  '{single}; farther is the reverse. Each is a test study of the models that '
  'are shown with it. Those that changed most come first: they are extremes, '
  'not typical, and {arm} was chosen on the same studies.'
)
_MAPS = (
  "Maps: a square of the training mean's colour hides one area after another "
  '(Zeiler and Fergus 2014). Orange: what is there raises the {unit}; blue: it '
  'lowers it. Each map has a scale of its own. A hidden area is something no '
  'model was trained on, and what a model uses need not be what causes the '
  'label.'
)
_IMPORTANCE = (
  'What permuting one record column among the test studies of a fold costs '
  '{arm} (Breiman 2001), its missing values moved along. It says what these '
  'models rely on, not what a column is worth to others (Fisher, Rudin and '
  'Dominici 2019). Columns that go together stand in for each other, so that '
  'each may look unimportant; and permuting one of them makes records that do '
  'not occur, about which models were taught nothing (Hooker, Mentch and Zhou '
  '2021).'
)


def section(examples: Mapping[str, Any] | None) -> sections.Section:
  """All that examples.json holds; empty where there is none."""
  title = 'Examples and what the models look at'
  if not examples:
    return sections.Section(PRIVATE + 's', title)
  return sections.Section(
    PRIVATE + 's',
    title,
    brief='images and record values of single patients'
    if examples['examples']
    else 'what record columns are worth to an arm',
    lead=_lead(examples),
    figures=[*_pictures(examples), _forest(examples)],
    tables=[_studies(examples), _records(examples), _columns(examples)],
  )


def _lead(examples) -> list[str]:
  arm, single = (f"'{examples[x]}'" for x in ('arm', 'single'))
  kind = examples['task']['kind']
  found = []
  if examples['examples']:
    found.append(_PRIVACY)
  if examples['groups']:
    text, how = _CALLS, _THRESHOLD
    if kind == types.REGRESSION:
      text = _DISTANCE
    elif kind == types.MULTICLASS:
      how = _CLASS
    found.append(text.format(arm=arm, single=single, how=how))
    found.append(
      ' '.join(
        f'{_heading(examples, x)}: {words.counted(x["total"], "study")}, '
        f'{len(x["numbers"])} shown.'
        for x in examples['groups']
      )
    )
  if any(x['map'] for x in examples['examples']):
    found.append(_MAPS.format(unit=_unit(examples)))
  found += examples['reasons']
  importance = examples['importance']
  if importance:
    found.append(importance.get('reason') or _IMPORTANCE.format(arm=arm))
  return found


def _heading(examples, group) -> str:
  kinds = _KINDS
  if examples['task']['kind'] == types.REGRESSION:
    kinds = _ERRORS
  text = kinds[group['kind']].capitalize()
  return f'{text}, {group["label"]}' if group['label'] else text


def _unit(examples) -> str:
  return {
    types.REGRESSION: 'prediction',
    types.MULTICLASS: 'logit of the true class',
  }.get(examples['task']['kind'], 'logit')


def _by_group(examples) -> list[tuple[str, list[Mapping[str, Any]]]]:
  by_number = {x['number']: x for x in examples['examples']}
  return [
    (_heading(examples, group), [by_number[k] for k in group['numbers']])
    for group in examples['groups']
  ]


def _truth(example) -> str:
  truth = example['truth']
  return truth if isinstance(truth, str) else text_lib.plain(truth)


def _scores(example) -> str:
  found = []
  for arm, score in example['scores'].items():
    text, least = f'{arm} {text_lib.plain(score)}', example['thresholds'][arm]
    if least is not None:
      text += f' (positive from {text_lib.plain(least)})'
    found.append(text)
  return ', '.join(found)


def _pictures(examples) -> list[style.Drawn]:
  found = []
  for heading, shown in _by_group(examples):
    for example in shown:
      if not example['image']:
        continue
      record = '; '.join(
        f'{x["column"]} {_value(x)} ({_beside(x)})' for x in example['record']
      )
      several = ''
      if example['images'] > 1:
        several = f' First of {example["images"]} images.'
      found.append(
        style.Drawn(
          f'{PRIVATE}_{example["number"]}',
          f'{example["number"]}. {heading}',
          f'Truth: {_truth(example)}. {_scores(example)}.{several} {record}',
          figure.draw(
            example['image'],
            height=example['height'],
            width=example['width'],
            change=example['map'],
            unit=f'change in {_unit(examples)}',
          ),
          details=_described(example, _unit(examples)),
        )
      )
  return found


def _described(example, unit) -> str:
  """The map in words."""
  change = example['map']
  if not change:
    return 'The image of the study.'
  ends = (change['highest'], 'raised'), (change['lowest'], 'lowered')
  moved = [
    f'{verb} most, by {text_lib.plain(abs(x["value"]))}, by its {x["place"]}'
    for (x, verb), sign in zip(ends, (1, -1), strict=True)
    if sign * x['value'] > 0
  ]
  text = ' and '.join(moved) or 'not changed by any part of it'
  return f'The image of the study, and over it the map: the {unit} is {text}.'


def _value(entry) -> str:
  value = entry['value']
  if value is None:
    return 'missing'
  return value if isinstance(value, str) else text_lib.plain(value)


def _beside(entry) -> str:
  """How a value compares with those of training."""
  if entry['value'] is None:
    return f'as in {_percent(entry["missing"])} of training studies'
  if 'share' in entry:
    if entry['share'] is None:
      return 'never known in training'
    return f'{_percent(entry["share"])} of training studies'
  if entry['mean'] is None:
    return 'never known in training'
  mean = text_lib.plain(entry['mean'])
  if entry['z'] is None:
    return f'training mean {mean}'
  side = 'above' if entry['z'] >= 0 else 'below'
  return f'{abs(entry["z"]):.1f} SD {side} the training mean {mean}'


def _percent(share: float) -> str:
  return f'{100 * share:.0f}%'


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
    note=f'Scores: {_score_words(examples)}. Scores and thresholds are means '
    'over models.',
    printed=False,
  )


def _score_words(examples) -> str:
  return {
    types.REGRESSION: 'predictions',
    types.MULTICLASS: 'probabilities of the true class',
  }.get(examples['task']['kind'], 'probabilities of the label')


def _records(examples) -> tables.Table:
  rows: list[Sequence[tables.Cell]] = [
    [
      tables.count(example['number']),
      tables.word(x['column']),
      tables.word(_value(x), value=x['value'] or ''),
      tables.word(_beside(x)),
    ]
    for example in examples['examples']
    for x in example['record']
  ]
  return tables.plain_table(
    f'{PRIVATE}_records',
    'Their most telling record values',
    [
      tables.Column('number'),
      tables.Column('column', word=True),
      tables.Column('value', word=True),
      tables.Column('beside training', word=True),
    ],
    rows,
    note='The columns that cost most when permuted.',
    folded=True,
    printed=False,
  )


def _importance(examples) -> Sequence[Mapping[str, Any]]:
  return (examples['importance'] or {}).get('columns') or ()


def _forest(examples) -> style.Drawn | None:
  found = _importance(examples)
  canvas = found and forest.draw(
    [forest.Line(x['column'], text_lib.number(x)) for x in found[:_DRAWN]],
    axis=f'loss in {examples["importance"]["metric"]}',
    signed=False,
  )
  if not canvas:
    return None
  return style.Drawn(
    'importance',
    f"What permuting a record column costs '{examples['arm']}'",
    f'Loss in {examples["importance"]["metric"]} on test studies. '
    f'{examples["importance"]["note"]}',
    canvas,
    wide=True,
  )


def _columns(examples) -> tables.Table:
  importance = examples['importance'] or {}
  return tables.plain_table(
    'importance',
    f'Loss in {importance.get("metric")} where a record column is permuted, '
    f"'{examples['arm']}'",
    [
      tables.Column('column', word=True),
      tables.Column('loss [95%]', interval=True),
      tables.Column('sd of orders'),
    ],
    [
      [
        tables.word(x['column']),
        tables.Cell(number=text_lib.number(x)),
        tables.plain(x['sd'], x.get('reason', '')),
      ]
      for x in _importance(examples)
    ],
    note=importance.get('note', ''),
    folded=True,
  )
