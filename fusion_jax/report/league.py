"""A league of runs as a page, tables, forest plots and lines for a terminal."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import beside, first, html, prose, sections, tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import forest, style

PAGE = 'league.html'

# As the league names what was pooled.
_ALL, _STRATEGY, _METHOD = 'all', 'strategy', 'method'
_SUPERIOR, _INFERIOR = 'superior', 'inferior'
_GAIN = 'gain [95%]'
# By section, the passage that heads it.
_HEADINGS = {
  'strategies': 'section_strategies',
  'methods': 'section_methods',
  'runs': 'section_runs',
  'gains': 'section_gains',
}


@dataclasses.dataclass(frozen=True)
class Page:
  """What the page shows, in order.

  Attributes:
    title: of the window.
    screen: the answer.
    warnings: that a reader must see.
    sections: with tables and figures.
    meanings: by name of a table, what its columns mean; all explain themselves
      or are explained below.
  """

  title: str
  screen: first.Screen
  warnings: Sequence[str]
  sections: Sequence[sections.Section]
  meanings: Mapping[str, Sequence[tuple[str, str]]]


def build(league: Mapping[str, Any]) -> Page:
  """Lays out a league.

  Args:
    league: what `league.json` holds.
  """
  laid_out = [
    _section(
      'strategies', [strategies(league)], [_strategy_figure(league)], shown=1
    ),
    _section('methods', [methods(league)], [_method_figure(league)], shown=1),
    _section('runs', [runs(league)]),
    _section('gains', [gains(league)]),
  ]
  return Page(
    title=_text('title'),
    screen=screen(league),
    warnings=league['warnings'],
    sections=laid_out,
    meanings={t.name: () for section in laid_out for t in section.tables},
  )


def screen(league: Mapping[str, Any]) -> first.Screen:
  """The answer in a few lines."""
  whole = _of(league, _ALL)[0]
  lines = [
    first.Line('WHERE', _where(league), to='runs'),
    first.Line('STRATEGY', _strategies(league), to='strategies'),
    first.Line('METHOD', _methods(league), to='methods'),
    first.Line(
      first.SURE,
      _text(
        'spread',
        prediction=_prediction(whole),
        prediction_reason=whole['prediction_reason'],
        tau=whole['tau2'] ** 0.5,
        i2=whole['i2'],
      ),
    ),
    first.Line(
      first.BUT,
      _text('few', k=whole['k'], fewest=league['fewest_for_prediction']),
      style='but',
    ),
  ]
  bounds = [text_lib.signed(whole[x]) for x in ('low', 'high')]
  return first.Screen(
    question=_text('question'),
    verdict=whole['verdict'],
    answer=_text('answer', verdict=whole['verdict']),
    aside='',
    cohort=[
      words.counted(len(league['cohorts']), 'cohort'),
      words.counted(len(league['runs']), 'run'),
      words.counted(len(_of(league, _METHOD)), 'method'),
    ],
    gain=first.Gain(
      number=text_lib.signed(whole['estimate']),
      metric=words.metric(league['metric']),
      bounds=f'[{bounds[0]}, {bounds[1]}]',
      over=_text('over', k=whole['k']),
      before='',
      after='',
    ),
    sentence='',
    added=[],
    lines=[x for x in lines if x.text],
    counts=[],
  )


def _strategies_note(league: Mapping[str, Any], among: str) -> str:
  return ' '.join([_text('note_strategies'), _note(league, among)])


def short(league: Mapping[str, Any]) -> tables.Table:
  """All that is pooled, for a terminal: without what each cohort says."""
  whole = _pooled(
    league,
    'pooled',
    league['pooled'],
    note=_strategies_note(league, 'each of both groups'),
  )
  kept = len(whole.columns) - len(league['cohorts'])
  rows = list(whole.rows())
  heads = {_ALL: '', _STRATEGY: 'strategies', _METHOD: 'methods'}
  groups = [
    (
      heading,
      [
        row[:kept]
        for row, x in zip(rows, league['pooled'], strict=True)
        if x['by'] == by
      ],
    )
    for by, heading in heads.items()
  ]
  columns = [tables.Column('', word=True), *whole.columns[1:kept]]
  return dataclasses.replace(whole, columns=columns, groups=groups)


def strategies(league: Mapping[str, Any]) -> tables.Table:
  """Pooled gains of all fusion arms and of each strategy."""
  return _pooled(
    league,
    'strategies',
    _of(league, _ALL) + _of(league, _STRATEGY),
    note=_strategies_note(league, 'the strategies'),
  )


def methods(league: Mapping[str, Any]) -> tables.Table:
  """Pooled gains of each method, by strategy."""
  return _pooled(
    league,
    'methods',
    _of(league, _METHOD),
    note=_note(league, 'the methods'),
    grouped=True,
  )


def runs(league: Mapping[str, Any]) -> tables.Table:
  """What each run came to by itself."""
  rows = []
  for run in league['runs']:
    gain = next((g for g in run['gains'] if g['arm'] == run['headline']), None)
    rows.append(
      [
        tables.word(run['folder']),
        tables.word(run['cohort']),
        tables.word(run['label']),
        tables.Cell(f'{run["studies"]:,}', value=run['studies']),
        tables.Cell(f'{run["patients"]:,}', value=run['patients']),
        tables.word(run['single']),
        tables.plain(run['single_estimate']),
        tables.word(run['headline']),
        tables.number(_difference(gain), signed=True),
        _verdict(run['verdict'], run['words']),
      ]
    )
  return tables.plain_table(
    'runs',
    'Runs',
    [
      *tables.of_words('run', 'cohort', 'label'),
      tables.Column('studies'),
      tables.Column('patients'),
      *tables.of_words('best single'),
      tables.Column(words.metric(league['metric'])),
      *tables.of_words('arm'),
      tables.Column(_GAIN, interval=True),
      *tables.of_words('answer'),
    ],
    rows,
    note=_text('note_runs'),
    shown=True,
  )


def gains(league: Mapping[str, Any]) -> tables.Table:
  """Every gain of every run, with its standard error."""
  return tables.Table(
    'gains',
    'Gains of every fusion arm',
    [
      *tables.of_words('arm', 'strategy', 'best single'),
      tables.Column(_GAIN, interval=True),
      tables.Column('standard error'),
      *tables.of_words('verdict'),
    ],
    [
      (
        run['folder'],
        [
          [
            tables.word(g['arm']),
            tables.word(g['strategy']),
            tables.word(g['single']),
            tables.number(_difference(g), signed=True),
            tables.plain(g['se']),
            _verdict(g['verdict'], g['verdict']),
          ]
          for g in run['gains']
        ],
      )
      for run in league['runs']
    ],
  )


def contents(league: Mapping[str, Any]) -> dict[str, bytes]:
  """By path in a folder, what the page and its files hold; the page is last.

  Args:
    league: what `league.json` holds.
  """
  page = build(league)
  made = {}
  for section in page.sections:
    for drawn in section.figures:
      made[f'{beside.FIGURES}/{drawn.name}.svg'] = drawn.svg.encode()
      made[f'{beside.FIGURES}/{drawn.name}.pdf'] = drawn.pdf()
    for table in section.tables:
      made[f'{beside.TABLES}/{table.name}.csv'] = tables.to_csv(table).encode()
      made[f'{beside.TABLES}/{table.name}.tex'] = tables.to_tex(table).encode()
  made[PAGE] = html.render_template('league.html', page=page).encode()
  return made


def _text(passage: str, **context: Any) -> str:
  return prose.passage('league', passage, **context)


def _note(league, family: str) -> str:
  return _text(
    'note',
    estimator=league['estimator'],
    family=family,
    fewest=league['fewest_for_prediction'],
  )


def _section(name, shown_tables, figures=(), *, shown=0) -> sections.Section:
  return sections.Section(
    name,
    _text(_HEADINGS[name]),
    figures=[x for x in figures if x is not None],
    tables=[x for x in shown_tables if x],
    shown=shown,
  )


def _of(league, by: str) -> list[Mapping[str, Any]]:
  return [x for x in league['pooled'] if x['by'] == by]


def _number(entry: Mapping[str, Any]) -> text_lib.Number:
  return text_lib.Number(
    entry['estimate'],
    entry.get('low'),
    entry.get('high'),
    entry.get('reason', ''),
  )


def _difference(gain) -> text_lib.Number | None:
  return text_lib.number(gain, 'difference')


def _prediction(entry) -> Mapping[str, float] | None:
  if entry['prediction_low'] is None:
    return None
  return {'low': entry['prediction_low'], 'high': entry['prediction_high']}


def _verdict(verdict: str, text: str) -> tables.Cell:
  return tables.word(text, style=verdict)


def _pooled(league, name, entries, *, note, grouped=False) -> tables.Table:
  groups: dict[str, list] = {}
  for x in entries:
    k = x['k']
    row = [
      tables.word(x['name']),
      tables.Cell(str(k), value=k),
      tables.number(_number(x), signed=True),
      tables.p_value(x['p_adjusted']),
      _verdict(x['verdict'], x['verdict']),
      _new_cohort(x),
      tables.Cell() if x['tau2'] is None else tables.plain(x['tau2'] ** 0.5),
      tables.Cell()
      if x['i2'] is None
      else tables.Cell(f'{100 * x["i2"]:.0f}%', value=x['i2']),
      *_effects(league, x),
    ]
    groups.setdefault(x['strategy'] if grouped else '', []).append(row)
  first_column = 'method' if grouped else 'strategy'
  return tables.Table(
    name,
    f'Gain in {words.metric(league["metric"])} over the best single modality',
    [
      tables.Column(first_column, word=True),
      tables.Column('k'),
      tables.Column('pooled [95%]', interval=True),
      tables.Column('p adjusted'),
      tables.Column('verdict', word=True),
      tables.Column('a new cohort [95%]', interval=True),
      tables.Column('tau'),
      tables.Column('I²'),
      *(tables.Column(x['name'], interval=True) for x in league['cohorts']),
    ],
    list(groups.items()),
    note=note,
    wide=True,
    shown=True,
  )


def _new_cohort(x) -> tables.Cell:
  found = _prediction(x)
  if found is None:
    return tables.Cell(value='')
  return tables.Cell(
    number=text_lib.Number(x['estimate'], found['low'], found['high']),
    signed=True,
  )


def _effects(league, x) -> list[tables.Cell]:
  """What each cohort says, empty where it does not have it."""
  by_cohort = {e['cohort']: e for e in x['effects']}
  return [
    tables.Cell(number=_number(by_cohort[i]), signed=True)
    if i in by_cohort
    else tables.Cell(value='')
    for i in range(len(league['cohorts']))
  ]


def _strategy_figure(league) -> style.Drawn | None:
  """One group a strategy: its cohorts, what they come to, and a new one."""
  lines = []
  for x in [*_of(league, _STRATEGY), *_of(league, _ALL)]:
    members = [
      (league['cohorts'][e['cohort']]['name'], _number(e), '')
      for e in x['effects']
    ]
    if x['estimate'] is not None:
      members.append(('pooled', _number(x), x['verdict']))
      found = _prediction(x)
      if found:
        new = text_lib.Number(x['estimate'], found['low'], found['high'])
        members.append(('a new cohort', new, 'inconclusive'))
    lines += [
      forest.Line(name, number, '' if i else x['name'], verdict)
      for i, (name, number, verdict) in enumerate(members)
    ]
  return _drawn(league, 'forest', lines)


def _method_figure(league) -> style.Drawn | None:
  lines, before = [], None
  for x in _of(league, _METHOD):
    if x['estimate'] is None:
      continue
    heading = '' if x['strategy'] == before else x['strategy']
    before = x['strategy']
    lines.append(forest.Line(x['name'], _number(x), heading, x['verdict']))
  return _drawn(league, 'methods', lines)


def _drawn(league, name, lines) -> style.Drawn | None:
  if not lines:
    return None
  metric = words.metric(league['metric'])
  canvas = forest.draw(lines, axis=f'gain in {metric}')
  if canvas is None:
    return None
  return style.Drawn(
    name,
    _text(f'{name}_title'),
    _text(
      f'{name}_caption', metric=metric, fewest=league['fewest_for_prediction']
    ),
    canvas,
    wide=True,
    details=_text('figure_details', lines=lines),
  )


def _where(league) -> str:
  by_words: dict[str, list[str]] = {}
  for run in league['runs']:
    named = f'{run["cohort"]} ({run["label"]})'
    by_words.setdefault(run['words'], []).append(named)
  return _text('where', by_verdict=list(by_words.items()))


def _strategies(league) -> str:
  return _text(
    'strategy',
    strategies=[
      {
        'name': x['name'],
        'verdict': x['verdict'],
        'number': None if x['estimate'] is None else _number(x),
      }
      for x in _of(league, _STRATEGY)
    ],
  )


def _methods(league) -> str:
  found = _of(league, _METHOD)

  def named(verdict):
    return [x['name'] for x in found if x['verdict'] == verdict]

  return _text(
    'methods',
    superior=named(_SUPERIOR),
    inferior=named(_INFERIOR),
    open=len(named('inconclusive')),
    alone=sum(x['estimate'] is None for x in found),
  )
