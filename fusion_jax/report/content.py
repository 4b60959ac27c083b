"""What a report says, taken from a summary and laid out by its readers.

Nothing is computed here: values are picked from the summary, grouped and named.
docs/summary.md is the summary's schema, docs/statistics.md what its numbers
mean.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import types, words
from fusion_jax.report import facts as facts_lib
from fusion_jax.report import prose
from fusion_jax.report import text as text_lib

SINGLE = 'single modality'
OTHER = 'other'
OTHER_FUSION = 'other fusion'
# In the order of every table, by their names in a summary.
STRATEGIES = {
  'single': SINGLE,
  'early': 'early fusion',
  'joint': 'joint fusion',
  'late': 'late fusion',
}

# The row of the single modalities that validation would have picked, fold by
# fold, and what stands behind the arm that is the reference in every fold.
PICKED = 'picked on validation'
MARK = '(reference)'

# Metrics shown beside the one of comparison.
CALIBRATION = {'brier': 'Brier', 'calibration_slope': 'slope'}

# How much training anew changes, where there are several folds or seeds.
SPREADS = {'fold_sd': 'fold sd', 'seed_sd': 'seed sd'}

# What an arm itself took, where that is known, and how it is written.
COSTS = {
  'parameters': ('params', text_lib.count),
  'seconds': ('time', text_lib.duration),
  'compile_seconds': ('compile', text_lib.duration),
}


@dataclasses.dataclass(frozen=True)
class Row:
  """One arm; `difference`, `p_adjusted` and `verdict` for fusion arms only.

  Attributes:
    arm: its name.
    primary: the metric of comparison.
    mark: behind its name, where it is what all others are compared with.
    type: I or II of early and joint fusion, or empty.
    difference: from the reference.
    single: the single modality over which that gain is.
    p_adjusted: of that difference, over all fusion arms.
    verdict: superior, inferior, equivalent or inconclusive.
    verdict_reason: why it could not be another one.
    within_margin: whether it is so by less than the margin.
    fragile: the verdict that slightly wider bounds would give, or empty.
    patients_needed: to show a gain as large as the margin.
    patients_equivalent: to show that there is none.
    miscalibrated: why its probabilities are, or empty.
    calibration: by the keys of CALIBRATION, where the summary has them.
    spread: by the keys of SPREADS.
    parameters: number of fitted parameters.
    seconds: spent on fitting.
    compile_seconds: spent on compiling before that.
  """

  arm: str
  primary: text_lib.Number
  mark: str = ''
  type: str = ''
  difference: text_lib.Number | None = None
  single: str = ''
  p_adjusted: float | None = None
  verdict: str = ''
  verdict_reason: str = ''
  within_margin: bool = False
  fragile: str = ''
  patients_needed: int | None = None
  patients_equivalent: int | None = None
  miscalibrated: str = ''
  calibration: Mapping[str, text_lib.Number] = dataclasses.field(
    default_factory=dict
  )
  spread: Mapping[str, text_lib.Number] = dataclasses.field(
    default_factory=dict
  )
  parameters: int | None = None
  seconds: float | None = None
  compile_seconds: float | None = None


Groups = Sequence[tuple[str, Sequence[Row]]]


@dataclasses.dataclass(frozen=True)
class Content:
  """All a report shows.

  Attributes:
    title: one line.
    facts: what texts may say of the run.
    reference: what fusion is compared with, in words.
    about: (name, text) pairs about task and cohort.
    groups: (strategy, rows) in the order of STRATEGIES.
    complete: the same on studies that have all modalities; empty if all have.
    complete_title: how many those are.
    fold_names: headings of `folds`.
    folds: (fold, reference arm, studies, patients, and events where they are
      known) as text.
    others: by arm, (name, number) of all metrics.
    warnings: lines the reader must see.
    footnotes: what the numbers mean.
  """

  title: str
  facts: facts_lib.Facts
  reference: str
  about: Sequence[tuple[str, str]]
  groups: Groups
  complete: Groups
  complete_title: str
  fold_names: Sequence[str]
  folds: Sequence[Sequence[str]]
  others: Mapping[str, Sequence[tuple[str, text_lib.Number]]]
  warnings: Sequence[str]
  footnotes: Sequence[str]

  def rows(self) -> list[Row]:
    return [row for _, rows in self.groups for row in rows]

  def compared(self) -> bool:
    """Whether any arm is compared with the reference."""
    return any(row.difference for row in self.rows())


def build(summary: Mapping[str, Any]) -> Content:
  """Picks what a report shows from a summary (docs/summary.md)."""
  facts = facts_lib.of(summary)
  complete = summary['complete_cases'] or {}
  complete_title = ''
  if complete:
    complete_title = (
      f'Complete cases: {complete["studies"]} studies of '
      f'{complete["patients"]} patients have all modalities'
    )
  fold_names, folds = _folds(summary)
  return Content(
    title=f'{_name(summary)}: {facts.metric} of every arm',
    facts=facts,
    reference=prose.passage('phrases', 'reference_in_short', facts),
    about=_about(summary, facts),
    groups=_groups(summary, summary),
    complete=_groups(summary, complete) if complete.get('arms') else (),
    complete_title=complete_title,
    fold_names=fold_names,
    folds=folds,
    others={
      arm: [(name, text_lib.number(x)) for name, x in entry['metrics'].items()]
      for arm, entry in summary['arms'].items()
    },
    warnings=summary['warnings'],
    footnotes=_footnotes(summary, facts),
  )


def _name(summary) -> str:
  return summary['cohort'].get('name', 'cohort')


def _footnotes(summary, facts) -> list[str]:
  """What the numbers mean: the lines of notes.txt that apply."""
  arms = summary['arms'].values()
  timed = [
    COSTS[key][0]
    for key in ('seconds', 'compile_seconds')
    if any((x.get('cost') or {}).get(key) is not None for x in arms)
  ]
  lines = prose.passages(
    'notes',
    facts,
    picked=bool(summary['best_single'].get('picked_on_validation')),
    typed=any(x.get('type') for x in arms),
    timed=timed,
  )
  return [x for x in lines.values() if x]


def strategy_of(arm: str, entry: Mapping[str, Any]) -> str:
  """The group of an arm.

  Args:
    arm: its name, which decides where the summary gives no strategy: it is of
      other people's predictions.
    entry: what the summary says about it.
  """
  if entry['role'] == 'single':
    return SINGLE
  if entry['role'] != 'fusion':
    return OTHER
  strategy = entry.get('strategy') or arm.split('_')[0]
  name = STRATEGIES.get(strategy, OTHER_FUSION)
  return OTHER_FUSION if name == SINGLE else name


def _groups(summary, part) -> Groups:
  """Rows of `part`, which is the summary or its complete cases."""
  metric = summary['evaluation']['metric']
  compared = {x['arm']: x for x in part['comparisons']}
  headings = [*STRATEGIES.values(), OTHER_FUSION, OTHER]
  by_strategy: dict[str, list[Row]] = {name: [] for name in headings}
  for arm, entry in part['arms'].items():
    whole = summary['arms'][arm]
    row = _row(arm, entry, compared.get(arm), metric)
    mark = MARK if arm == facts_lib.reference(summary) and compared else ''
    flag = whole.get('probabilities') or {}
    row = dataclasses.replace(
      row,
      type=whole.get('type', ''),
      mark=mark,
      miscalibrated=' '.join(flag.get('reasons') or ())
      if flag.get('miscalibrated')
      else '',
    )
    by_strategy[strategy_of(arm, whole)].append(row)
  picked = part['best_single'].get('picked_on_validation')
  if (
    by_strategy[SINGLE]
    and compared
    and picked
    and not facts_lib.reference(summary)
  ):
    by_strategy[SINGLE].append(Row(arm=PICKED, primary=text_lib.number(picked)))
  return [(name, rows) for name, rows in by_strategy.items() if rows]


def _row(arm, entry, comparison, metric) -> Row:
  metrics = entry['metrics']
  cost = entry.get('cost', {})
  spread = entry.get('variability', {})
  comparison = comparison or {}
  needs = comparison.get('patients_needed') or {}
  return Row(
    arm=arm,
    primary=text_lib.number(metrics[metric]),
    # The verdict carries the reason, so that it is not marked twice.
    difference=comparison
    and dataclasses.replace(
      text_lib.number(comparison, 'difference'), reason=''
    )
    or None,
    single=comparison.get('single') or '',
    p_adjusted=comparison.get('p_adjusted'),
    verdict=comparison.get('verdict', ''),
    verdict_reason=comparison.get('reason', ''),
    within_margin=comparison.get('within_margin', False),
    fragile=(comparison.get('fragile') or {}).get('verdict', ''),
    patients_needed=needs.get('superior'),
    patients_equivalent=needs.get('equivalent'),
    calibration={
      k: text_lib.number(metrics[k]) for k in CALIBRATION if k in metrics
    },
    spread={
      name: text_lib.Number(
        spread[name], reason=spread.get(f'{name}_reason', '')
      )
      for name in SPREADS
      if name in spread
    },
    parameters=cost.get('parameters'),
    seconds=cost.get('seconds'),
    compile_seconds=cost.get('compile_seconds'),
  )


def _about(summary, facts) -> list[tuple[str, str]]:
  cohort, task = summary['cohort'], summary['task']
  pairs = [
    ('task', f'{task["kind"]} ({", ".join(task["names"])})'),
    (
      'test parts',
      f'{cohort["studies"]:,} studies of {cohort["patients"]:,} patients',
    ),
  ]
  named = {
    'notes': _joined(cohort.get('notes')),
    f'best possible {words.metric(task["metric"])}': cohort.get('oracle'),
    'trained on': facts.trained_on,
    'trials of each arm': facts.trials,
  }
  for name, value in named.items():
    if value:
      pairs.append((name, text_lib.of_value(value)))
  return pairs


def _joined(notes) -> str:
  """Sentences one after the other."""
  return notes if isinstance(notes, str) else ' '.join(notes or ())


def _folds(summary) -> tuple[list[str], list[list[str]]]:
  """Headings and rows."""
  picked = summary['best_single'].get('picked_on_validation') or {}
  chosen = {(x['repeat'], x['fold']): x for x in picked.get('by_fold') or ()}
  several = len({x['repeat'] for x in summary['folds']}) > 1
  rows = []
  for fold in summary['folds']:
    choice = chosen.get((fold['repeat'], fold['fold']), {})
    arm = choice.get('arm') or 'none'
    if choice.get('reason'):
      arm += f' ({choice["reason"]})'
    name = f'{fold["repeat"]}/{fold["fold"]}' if several else str(fold['fold'])
    row = [name, arm, str(fold['studies']), str(fold['patients'])]
    events = fold.get('events')
    rows.append(
      [*row, *([] if events is None else [text_lib.of_value(events)])]
    )
  titles = ['fold', PICKED, 'studies', 'patients']
  if facts_lib.reference(summary):
    del titles[1]
    rows = [[x for k, x in enumerate(row) if k != 1] for row in rows]
  if any(len(row) > len(titles) for row in rows):
    titles.append(_counted(summary['task']['kind']))
  return titles, [row + [''] * (len(titles) - len(row)) for row in rows]


def _counted(kind: str) -> str:
  """What the test parts are counted by beside studies and patients."""
  return 'studies of each class' if kind == types.MULTICLASS else 'events'
