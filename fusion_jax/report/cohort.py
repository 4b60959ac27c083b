"""Who was studied: Table 1, the flow of studies, and the parts of folds."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import content as content_lib
from fusion_jax.report import sections, tables
from fusion_jax.report import text as text_lib

_NOTE = (
  'Studies are counted; shares are of those whose value is known. Values are '
  'as declared, before anything is filled in or standardised.'
)
_PARTS = {'train': 'training', 'valid': 'validation', 'test': 'test'}
# A table with more rows is for files.
_PRINTED = 60


def section(summary: Mapping[str, Any]) -> sections.Section:
  """Empty where the summary knows nothing of the cohort's studies."""
  cohort = summary['cohort']
  return sections.Section(
    'cohort',
    'Who was studied',
    brief='Table 1, exclusions and splits'
    if cohort.get('table1') or cohort.get('flow') or cohort.get('splits')
    else '',
    lead=flow_sentences(summary),
    tables=[x for x in (table1(cohort), flow(cohort), splits(cohort)) if x],
  )


def flow_sentences(summary: Mapping[str, Any]) -> list[str]:
  """One paragraph on rows, exclusions and missing modalities, or nothing."""
  steps = summary['cohort'].get('flow') or ()
  if not steps:
    return []
  pieces = []
  for step in steps:
    if step['step'] == 'rows read':
      pieces.append(f'{words.counted(step["rows"], "row")} read')
    elif step['step'] == 'excluded':
      why = step['reason'].rstrip('.')
      pieces.append(f'{step["rows"]} excluded ({why})')
    elif step['step'] == 'studies':
      pieces.append(
        f'{words.counted(step["studies"], "study")} of '
        f'{words.counted(step["patients"], "patient")}'
      )
    elif step['step'].startswith('without') and step['studies']:
      pieces.append(f'{step["studies"]} {step["step"]}')
  # That there are studies is said elsewhere.
  return [f'{"; ".join(pieces)}.'] if len(pieces) > 1 else []


def table1(cohort: Mapping[str, Any]) -> tables.Table:
  """Characteristics of all studies, by outcome and by site."""
  given = cohort.get('table1') or {}
  columns = given.get('columns') or ()
  groups: dict[str, list] = {}
  if columns:
    groups[''] = [
      [
        tables.word(name),
        *(_whole(column[name]) for column in columns),
      ]
      for name in ('studies', 'patients')
    ]
  for row in given.get('rows') or ():
    groups.setdefault(row['feature'], []).extend(_described(row))
  # Once below all levels of a feature.
  for row in given.get('rows') or ():
    missing = row['missing']
    if any(missing) and groups[row['feature']][-1][0].text != 'missing':
      groups[row['feature']].append(
        [tables.word('missing'), *map(_whole, missing)]
      )
  return tables.Table(
    'table1',
    'Table 1: characteristics of the cohort',
    [
      tables.Column('characteristic', word=True),
      *(tables.Column(x['name']) for x in columns),
    ],
    [*groups.items()],
    note=' '.join([_NOTE, *(given.get('notes') or ())]),
    wide=True,
    folded=True,
  )


def _described(row) -> list[list[tables.Cell]]:
  """The lines of one row of the summary."""
  reason = row.get('reason', '')
  if row['kind'] != 'numeric':
    name = 'yes' if row['kind'] == 'boolean' else row['level']
    return [[tables.word(name), *(_share(x, reason) for x in row['cells'])]]
  return [
    [
      tables.word('mean (sd)'),
      *(_numbers(x, reason, '{} ({})', 'mean', 'sd') for x in row['cells']),
    ],
    [
      tables.word('median [q1, q3]'),
      *(
        _numbers(x, reason, '{} [{}, {}]', 'median', 'q1', 'q3')
        for x in row['cells']
      ),
    ],
  ]


def _share(cell, reason) -> tables.Cell:
  if cell is None:
    return tables.plain(None, reason)
  if cell['share'] is None:
    return _whole(cell['count'])
  return tables.Cell(
    f'{cell["count"]:,} ({100 * cell["share"]:.1f}%)',
    value=f'{cell["count"]} ({cell["share"]})',
  )


def _numbers(cell, reason, form, *names) -> tables.Cell:
  if cell is None:
    return tables.plain(None, reason)
  values = [cell[x] for x in names]
  return tables.Cell(
    form.format(*(_plain(x) for x in values)), value=form.format(*values)
  )


def _plain(value: float | None) -> str:
  return text_lib.UNDEFINED if value is None else text_lib.plain(value)


def _whole(value: int | None) -> tables.Cell:
  return tables.Cell(
    '' if value is None else f'{value:,}', value='' if value is None else value
  )


def flow(cohort: Mapping[str, Any]) -> tables.Table:
  """From the rows that were read to the studies, with what was excluded."""
  rows = [
    [
      tables.word(step['step']),
      *(_whole(step[x]) for x in ('rows', 'studies', 'patients')),
      tables.word(step['reason']),
    ]
    for step in cohort.get('flow') or ()
  ]
  return tables.plain_table(
    'flow',
    'From rows to studies',
    [
      tables.Column('step', word=True),
      *(tables.Column(x) for x in ('rows', 'studies', 'patients')),
      tables.Column('why', word=True),
    ],
    rows,
    folded=True,
  )


def splits(cohort: Mapping[str, Any]) -> tables.Table:
  """Sizes of every fold's training, validation and test part."""
  given = cohort.get('splits') or ()
  several = len({x['repeat'] for x in given}) > 1
  rows = []
  for split in given:
    name = f'{split["repeat"]}/{split["fold"]}' if several else split['fold']
    for key, title in _PARTS.items():
      size = split[key]
      rows.append(
        [
          tables.word(name),
          tables.word(title),
          _whole(size['studies']),
          _whole(size['patients']),
          tables.word(
            ''
            if size['events'] is None
            else content_lib.plain_text(size['events'])
          ),
        ]
      )
  return tables.plain_table(
    'splits',
    'Sizes of training, validation and test parts',
    [
      tables.Column('repeat/fold' if several else 'fold', word=True),
      tables.Column('part', word=True),
      *(tables.Column(x) for x in ('studies', 'patients', 'events')),
    ],
    rows,
    folded=True,
    printed=len(rows) <= _PRINTED,
  )
