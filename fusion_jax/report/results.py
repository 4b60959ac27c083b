"""Tables of what the arms did and how they compare."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import content as content_lib
from fusion_jax.report import names, prose, tables
from fusion_jax.report import side as side_lib
from fusion_jax.report import text as text_lib

Column = tables.Column


def arms(
  page: content_lib.Content,
  groups: content_lib.Groups,
  *,
  name: str = 'arms',
  title: str = '',
) -> tables.Table:
  """The main table: every arm, its gain and its verdict."""
  metric = page.facts.metric
  columns = [Column('arm', word=True), Column(f'{metric} [95%]', interval=True)]
  fragile = any(x.fragile for x in _rows(groups))
  if page.compared():
    columns += [
      Column('gain [95%]', interval=True),
      Column('over', word=True),
      Column('p adj'),
      Column('verdict', word=True),
      *([Column('fragile', word=True)] if fragile else []),
      Column(f'patients: superior if +{text_lib.short(page.facts.margin)}'),
      Column('patients: equivalent if 0'),
    ]

  def row(x: content_lib.Row) -> list[tables.Cell]:
    name = ' '.join(filter(None, (x.arm, x.type, x.mark)))
    cells = [tables.word(name, value=x.arm), tables.number(x.primary)]
    if not page.compared():
      return cells
    return [
      *cells,
      tables.number(x.difference, signed=True),
      tables.word(x.single),
      tables.p_value(x.p_adjusted),
      verdict(x, page.facts.margin),
      *([tables.word(x.fragile)] if fragile else []),
      tables.count(x.patients_needed),
      tables.count(x.patients_equivalent),
    ]

  over = f' and its gain over {page.reference}'
  return tables.Table(
    name,
    title or f'{metric} of every arm{over if page.compared() else ""}',
    columns,
    [(heading, [row(x) for x in rows]) for heading, rows in groups],
    note=_picked(any(x.arm == content_lib.PICKED for x in _rows(groups))),
  )


def _picked(there: bool) -> str:
  """What the row of the modality picked on validation is, if it is there."""
  if not there:
    return ''
  return prose.passage('sections/arms', 'picked', name=content_lib.PICKED)


def _rows(groups) -> list[content_lib.Row]:
  return [x for _, rows in groups for x in rows]


def verdict(x: content_lib.Row, margin: float) -> tables.Cell:
  """A verdict, and whether it is one by less than the margin."""
  text = x.verdict
  if x.within_margin:
    text += f', by less than {text_lib.short(margin)}'
  return tables.Cell(
    text,
    style=names.style(x.verdict, within_margin=x.within_margin),
    reason=x.verdict_reason,
  )


def side(page: content_lib.Content) -> tables.Table:
  """Calibration, spread of training and cost."""
  titles = side_lib.names(page)
  columns = [Column('arm', word=True), *(Column(x) for x in titles)]

  def row(x: content_lib.Row) -> list[tables.Cell]:
    return [tables.word(x.arm), *side_lib.values(page, x)]

  return tables.Table(
    'costs',
    side_lib.title(page),
    columns,
    [
      (heading, [row(x) for x in rows if x.arm != content_lib.PICKED])
      for heading, rows in (page.groups if titles else ())
    ],
  )


def folds(page: content_lib.Content) -> tables.Table:
  """The test part and the reference of every fold."""
  return tables.plain_table(
    'folds',
    'Test part of each fold',
    [
      Column(x, word=not k or x == content_lib.PICKED)
      for k, x in enumerate(page.fold_names)
    ],
    [[tables.word(x) for x in fold] for fold in page.folds],
  )


def metrics(page: content_lib.Content) -> tables.Table:
  """Every metric of every arm."""
  return tables.plain_table(
    'metrics',
    f'Every metric of {len(page.others)} arms',
    [
      *tables.of_words('arm', 'metric'),
      Column('estimate [95%]', interval=True),
    ],
    [
      [
        tables.word(arm),
        tables.word(words.metric(name), value=name),
        tables.number(number),
      ]
      for arm, numbers in page.others.items()
      for name, number in numbers
    ],
  )


def against(summary: Mapping[str, Any]) -> tables.Table:
  """Every fusion arm against every single-modality arm."""
  rows = [
    [
      tables.word(comparison['arm']),
      tables.word(x.get('single', content_lib.PICKED)),
      tables.entry(x, 'difference', signed=True),
      tables.p_value(x.get('p')),
      tables.p_value(x.get('p_adjusted')),
    ]
    for comparison in summary['comparisons']
    for x in (
      *comparison.get('against', ()),
      *filter(None, [comparison.get('picked_on_validation')]),
    )
  ]
  return tables.plain_table(
    'against_each',
    'Every fusion arm against every single-modality arm',
    [
      *tables.of_words('arm', 'against'),
      Column('gain [95%]', interval=True),
      Column('p'),
      Column('p adj'),
    ],
    rows,
    note=_picked(
      any(x.get('picked_on_validation') for x in summary['comparisons'])
    ),
  )


def to_use(summary: Mapping[str, Any]) -> tables.Table:
  """Which superior arms could be used, and why others not."""
  use = summary.get('use') or {}
  # Candidates are all known to be calibrated, or none of them is.
  caveat = use.get('caveat') or ''
  rows = [[arm, 'yes', caveat] for arm in use.get('candidates') or ()]
  for x in use.get('excluded') or ():
    remedy = f' (recalibrated: {x["remedy"]})' if x.get('remedy') else ''
    rows.append([x['arm'], 'no', f'{x["reason"]}{remedy}'])
  return tables.plain_table(
    'to_use',
    'Which superior arm to use',
    [
      *tables.of_words('arm', 'could be used', 'remark'),
    ],
    [
      [
        tables.word(arm),
        tables.Cell(could, style='yes' if could == 'yes' else ''),
        tables.word(reason),
      ]
      for arm, could, reason in rows
    ],
    note=use.get('sentence') or '',
  )


def miscalibrated(summary: Mapping[str, Any]) -> tables.Table:
  """The arms whose probabilities are miscalibrated, and what mends them."""
  rows = []
  for arm, entry in summary['arms'].items():
    probabilities = entry.get('probabilities') or {}
    if not probabilities.get('miscalibrated'):
      continue
    after = probabilities.get('recalibrated') or {}
    rows.append(
      [
        tables.word(arm),
        _plain(probabilities.get('slope')),
        tables.word(after.get('way') or ''),
        _plain(after.get('slope')),
        _plain(after.get('brier')),
        tables.word(' '.join(probabilities.get('reasons') or ())),
      ]
    )
  return tables.plain_table(
    'miscalibrated_probabilities',
    'Probabilities that are miscalibrated',
    [
      Column('arm', word=True),
      Column('slope'),
      Column('way', word=True),
      Column('slope after'),
      Column('Brier after'),
      Column('in words', word=True),
    ],
    rows,
  )


def _plain(value) -> tables.Cell:
  return tables.Cell() if value is None else tables.plain(value)


def other_tests(summary: Mapping[str, Any]) -> tables.Table:
  """DeLong's, the permutation and the corrected t test, without the factor."""
  titles = {
    'delong': 'DeLong p',
    'permutation': 'permutation p',
    'corrected_t': 'corrected t p',
  }
  rows = []
  tests = {
    c['arm']: c.get('without_factor') or {} for c in summary['comparisons']
  }
  known = [
    key
    for key in titles
    if any((x.get(key) or {}).get('p') is not None for x in tests.values())
  ]
  for arm, x in tests.items():
    if any(x.get(key) is not None for key in known):
      cells = [_p(x.get(key)) for key in known]
      rows.append([tables.word(arm), *cells])
  return tables.plain_table(
    'other_tests',
    'Other tests: one comparison each, without the factor',
    [Column('arm', word=True), *(Column(titles[k]) for k in known)],
    rows,
  )


def by_fold(summary: Mapping[str, Any]) -> tables.Table:
  """The metric of comparison, fold by fold, and its spread."""
  places = list(
    dict.fromkeys(
      (x['repeat'], x['fold'])
      for entry in summary['arms'].values()
      for x in entry.get('folds', ())
    )
  )
  several = len({r for r, _ in places}) > 1
  rows = []
  for arm, entry in summary['arms'].items():
    by_place = {(x['repeat'], x['fold']): x for x in entry.get('folds', ())}
    spread = entry.get('variability', {})
    rows.append(
      [
        tables.word(arm),
        *(
          tables.plain(x.get('estimate'), x.get('reason', ''))
          if (x := by_place.get(place))
          else tables.Cell()
          for place in places
        ),
        *(
          tables.plain(spread.get(k), spread.get(f'{k}_reason', ''))
          for k in content_lib.SPREADS
        ),
      ]
    )
  return tables.plain_table(
    'training',
    f'{names.of_comparison(summary)} by fold, mean over seeds',
    [
      Column('arm', word=True),
      *(Column(f'fold {r}/{f}' if several else f'fold {f}') for r, f in places),
      *(Column(x) for x in content_lib.SPREADS.values()),
    ],
    rows if places else [],
    wide=True,
  )


def recalibration(summary: Mapping[str, Any]) -> tables.Table:
  """Calibration as it is and after recalibration on validation parts."""
  rows = []
  for arm, entry in summary['arms'].items():
    calibration = entry.get('calibration')
    if not calibration:
      continue
    rows.append(_calibrated(arm, 'as trained', calibration))
    for method, after in (calibration.get('recalibrated') or {}).items():
      rows.append(_calibrated(arm, method, after))
  brier = {
    arm: (entry.get('metrics') or {}).get('brier')
    for arm, entry in summary['arms'].items()
  }
  for row in rows:
    if row[1].text == 'as trained' and brier[row[0].text]:
      row[2] = tables.entry(brier[row[0].text])
  return tables.plain_table(
    'recalibration',
    'Calibration as trained and after recalibration on validation',
    [
      *tables.of_words('arm', 'recalibration'),
      *(Column(x, interval=True) for x in _CALIBRATION.values()),
    ],
    rows,
    note=prose.passage(
      'sections/calibration',
      'note',
      recalibrated=any(row[1].text != 'as trained' for row in rows),
    ),
  )


_CALIBRATION = {
  'brier': 'Brier score',
  'log_loss': 'log loss',
  'ece': 'ECE',
  'ece_debiased': 'ECE without bias',
  'reliability': 'reliability',
  'resolution': 'resolution',
}


def _calibrated(arm, method, values) -> list[tables.Cell]:
  reason = values.get('reason', '')
  return [
    tables.word(arm),
    tables.word(method),
    *(_number(values.get(x), reason, x in values) for x in _CALIBRATION),
  ]


def _number(value, reason, there) -> tables.Cell:
  """An entry or a bare number; blank where the summary has no such key."""
  if isinstance(value, Mapping):
    return tables.entry(value)
  if value is None and not there:
    return tables.Cell()
  return tables.Cell(number=text_lib.Number(value, reason=reason))


def _p(test) -> tables.Cell:
  if not isinstance(test, Mapping):
    return tables.p_value(test)
  return tables.p_value(test.get('p'), test.get('reason', ''))


def history(entries: Sequence[Mapping[str, Any]]) -> tables.Table:
  """Every arm that was ever run, finished or not."""
  columns = [
    *tables.of_words('arm', 'outcome'),
    Column('models'),
  ]
  rows = [
    [
      tables.word(x['arm']),
      tables.Cell(
        x['status'], style='inferior' if x['status'] == 'failed' else ''
      ),
      tables.count(x.get('models')),
    ]
    for x in entries
  ]
  if any(x.get('reason') for x in entries):
    columns.append(Column('why', word=True))
    for row, x in zip(rows, entries, strict=True):
      row.append(tables.word(x.get('reason') or ''))
  return tables.plain_table(
    'history',
    'How each arm that was started ended',
    columns,
    rows,
  )
