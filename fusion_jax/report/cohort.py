"""Who was studied: Table 1, the flow of studies, and the parts of folds."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report import prose, sections, tables
from fusion_jax.report import text as text_lib

_PARTS = {'train': 'training', 'valid': 'validation', 'test': 'test'}
# A table with more rows is for files.
_PRINTED = 60


def section(summary: Mapping[str, Any]) -> sections.Section | None:
  """None where the summary knows nothing of the cohort's studies."""
  cohort = summary['cohort']
  if not any(cohort.get(x) for x in ('table1', 'flow', 'splits')):
    return None
  return sections.build(
    'cohort',
    flow=flow_in_words(summary),
    tables=[table1(cohort), flow(cohort), splits(cohort)],
  )


def flow_in_words(summary: Mapping[str, Any]) -> str:
  """Rows, exclusions and missing modalities; '' if there are only studies."""
  steps = summary['cohort'].get('flow') or ()
  spoken = [x for x in steps if x['step'] in ('rows read', 'excluded')]
  spoken += [
    x for x in steps if x['step'].startswith('without') and x['studies']
  ]
  return prose.passage('phrases', 'flow', flow=steps) if spoken else ''


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
    note=prose.passage(
      'sections/cohort', 'table1', notes=given.get('notes') or ()
    ),
    wide=True,
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
            '' if size['events'] is None else text_lib.of_value(size['events'])
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
    printed=len(rows) <= _PRINTED,
  )
