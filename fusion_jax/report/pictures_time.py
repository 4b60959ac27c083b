"""Sections of survival and regression tasks, from the key of other pictures."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report import beside, prose, sections, tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import lines, points, survival

KEY = 'pictures'
_GROUPS = 'risk_groups'
_OVER_TIME = 'auroc_over_time'
_POINTS = 'residuals'

# So many figures are seen without asking.
_SHOWN = 3


def time_name(summary: Mapping[str, Any]) -> str:
  """Name of a time axis, with its unit where the cohort tells it."""
  unit = summary['cohort'].get('time_unit') or 'unit of the time column'
  return f'time ({unit})'


def risk_groups(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> sections.Section | None:
  """Survival by third of predicted risk, and AUROC over time."""
  x_name = time_name(summary)
  by_arm = of_arms(curves, _GROUPS)
  series = {
    arm: lines.points(x) for arm, x in of_arms(curves, _OVER_TIME).items()
  }
  if not by_arm and not series:
    return None
  with_groups = {arm: x for arm, x in by_arm.items() if x['groups']}
  names = beside.file_names(with_groups)
  figures = [
    sections.drawn(
      'risk_groups',
      f'risk_groups_{names[arm]}',
      survival.draw(entry['groups'], entry['at_risk'], x_name=x_name),
      arm=arm,
      groups=entry['groups'],
    )
    for arm, entry in with_groups.items()
  ]
  figures.append(
    sections.drawn(
      'risk_groups',
      'auroc_over_time',
      lines.draw(series, x_name=x_name, y_name='AUROC') if series else None,
      figure='area',
      time=x_name,
      arms=series,
    )
  )
  return sections.build(
    'risk_groups',
    lead=[
      prose.passage(
        'sections/risk_groups', 'no_curves', arm=arm, reason=x['reason']
      )
      for arm, x in by_arm.items()
      if not x['groups']
    ],
    figures=figures,
    tables=[_sizes(with_groups)],
    shown=_SHOWN,
  )


def residuals(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> sections.Section | None:
  """Predicted values beside observed ones, and residuals."""
  by_arm = of_arms(curves, _POINTS)
  unit = ''.join(summary['task']['names'][:1])
  by_arm = {arm: x for arm, x in by_arm.items() if x['predicted']}
  if not by_arm:
    return None
  predicted = points.limits(*(x['predicted'] for x in by_arm.values()))
  observed = points.limits(*(x['observed'] for x in by_arm.values()))
  both = points.limits(predicted, observed)
  apart = points.limits((0.0,), *(x['residual'] for x in by_arm.values()))
  names = beside.file_names(by_arm)
  figures = []
  for key in ('observed', 'residual'):
    straight = key == 'observed'
    for arm, entry in by_arm.items():
      canvas = points.draw(
        entry['predicted'],
        entry[key],
        x_name=f'predicted {unit}'.rstrip(),
        y_name=f'{"observed" if straight else "residual of"} {unit}',
        x_limits=both if straight else predicted,
        y_limits=both if straight else apart,
        identity=straight,
      )
      figures.append(
        sections.drawn(
          'residuals',
          f'{key}_{names[arm]}',
          canvas,
          figure=key,
          arm=arm,
          unit=unit,
          shown=len(entry['predicted']),
          studies=entry['studies'],
        )
      )
  return sections.build('residuals', figures=figures, shown=len(by_arm))


def files(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> list[tables.Table]:
  """Every number of these figures, for files beside the page."""
  time = tables.Column(time_name(summary))
  arm = tables.Column('arm', word=True)
  group = tables.Column('risk group', word=True)
  by_arm = of_arms(curves, _GROUPS)
  built = [
    tables.plain_table(
      'risk_groups_curves',
      'Survival by third of predicted risk',
      [arm, group, time, tables.Column('share without event', interval=True)],
      [
        [tables.word(a), tables.word(g['group']), *cells]
        for a, entry in by_arm.items()
        for g in entry['groups']
        for cells in _curve(g)
      ],
      printed=False,
    ),
    tables.plain_table(
      'risk_groups_at_risk',
      'Numbers at risk',
      [arm, group, time, tables.Column('at risk')],
      [
        [
          tables.word(a),
          tables.word(g['group']),
          tables.plain(t),
          tables.plain(n),
        ]
        for a, entry in by_arm.items()
        for g, counts in zip(
          entry['groups'],
          entry['at_risk']['counts'] if entry['groups'] else (),
          strict=True,
        )
        for t, n in zip(entry['at_risk']['x'], counts, strict=True)
      ],
      printed=False,
    ),
    tables.plain_table(
      'auroc_over_time',
      'AUROC over time',
      [arm, time, tables.Column('AUROC', interval=True)],
      [
        [tables.word(a), *cells]
        for a, entry in of_arms(curves, _OVER_TIME).items()
        for cells in _curve(entry)
      ],
      printed=False,
    ),
    tables.plain_table(
      'residuals',
      'Predicted values, observed values and residuals',
      [arm, *(tables.Column(x) for x in ('predicted', 'observed', 'residual'))],
      [
        [tables.word(a), *map(tables.plain, row)]
        for a, entry in of_arms(curves, _POINTS).items()
        for row in zip(
          entry['predicted'],
          entry['observed'],
          entry['residual'],
          strict=True,
        )
      ],
      printed=False,
    ),
  ]
  return [x for x in built if x]


def of_arms(curves: Mapping[str, Any], name: str) -> Mapping[str, Any]:
  """What curves.json holds of a picture, by arm; empty if nothing."""
  return (curves.get(KEY) or {}).get(name) or {}


def _curve(entry) -> list[list[tables.Cell]]:
  return [
    [tables.plain(p.x), tables.number(p.number)] for p in lines.points(entry)
  ]


def _sizes(by_arm) -> tables.Table:
  """How many are in each group, and how many of them had the event."""
  return tables.Table(
    'risk_groups',
    'Studies and events by third of predicted risk',
    [
      tables.Column('risk group', word=True),
      tables.Column('studies'),
      tables.Column('events'),
    ],
    [
      (
        arm,
        [
          [
            tables.word(g['group']),
            _counted(g['studies']),
            _counted(g['events']),
          ]
          for g in entry['groups']
        ],
      )
      for arm, entry in by_arm.items()
    ],
    note=prose.passage('sections/risk_groups', 'note'),
  )


def _counted(value: float) -> tables.Cell:
  """A sum of shares: rounded on the page, as it is in a file."""
  return tables.Cell(text_lib.count(round(value)), value=value)
