"""The sections of a report, one function each."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import types, words
from fusion_jax.report import (
  beside,
  choices,
  first,
  results,
)
from fusion_jax.report import content as content_lib
from fusion_jax.report import tables as tables_lib
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import curves as curves_lib
from fusion_jax.report.figures import forest, style


@dataclasses.dataclass(frozen=True)
class Section:
  """One heading and what is below it.

  Attributes:
    name: its anchor.
    title: heading.
    brief: what it comes to, beside the heading; a section that has no more
      is this one line.
    lead: paragraphs before all else.
    figures: drawings.
    tables: tables.
    shown: how many figures are seen without asking; a section that shows none
      is folded.
  """

  name: str
  title: str
  brief: str = ''
  lead: Sequence[str] = ()
  figures: Sequence[style.Drawn] = ()
  tables: Sequence[tables_lib.Table] = ()
  shown: int = 0

  def __bool__(self) -> bool:
    return bool(self.brief or self.holds_more())

  def holds_more(self) -> bool:
    """Whether there is more than one line."""
    return bool(self.lead or self.figures or self.tables)


# Of docs/report.md.
_CHOSEN = (
  'The best single modality, the best arm of another one, the best fusion arm '
  'of each strategy and the arm of the gain. '
)
# So many curves are seen without asking.
_SHOWN = 3


def drawn(
  name: str, title: str, caption: str, canvas, **options
) -> style.Drawn | None:
  """A figure; None where there is nothing to draw."""
  if canvas is None:
    return None
  return style.Drawn(name, title, caption, canvas, **options)


def arms(summary: Mapping[str, Any], content: content_lib.Content) -> Section:
  """Every arm, its gain and its verdict."""
  margin = text_lib.short(content.margin)
  canvas = forest.draw(
    [
      forest.Line(
        r.arm, r.difference, heading='' if k else heading, style=r.verdict
      )
      for heading, rows in content.groups
      for k, r in enumerate(x for x in rows if x.difference)
    ],
    axis=f'gain in {content.metric}',
    margin=content.margin,
  )
  sentences = [
    x['sentence'] for x in summary['comparisons'] if x.get('sentence')
  ]
  whole = (summary.get('question') or {}).get('sentence')
  return Section(
    'arms',
    'Every arm in numbers',
    brief='gains, p values, patients needed; every verdict in words',
    lead=[whole] if whole and content.compared() else [],
    figures=[
      drawn(
        'differences',
        f'Gain in {content.metric} over {content.reference}',
        'Right of 0 fusion is better. Lines are the bounds of the table; the '
        f'shaded band is the margin of equivalence, ±{margin}.',
        canvas,
        wide=True,
      )
    ],
    tables=[
      results.arms(content, content.groups),
      tables_lib.plain_table(
        'verdicts',
        'Every verdict in words',
        [tables_lib.Column('verdict in words', word=True)],
        [[tables_lib.word(x)] for x in sentences],
        folded=True,
      ),
      results.to_use(summary),
      results.against(summary),
      results.other_tests(summary),
    ],
  )


# Of the studies, above which complete cases are shown in full.
_LACKING = 0.01


def complete(
  summary: Mapping[str, Any], content: content_lib.Content
) -> Section:
  """The same on studies that have all modalities.

  One line, with the table where more than one in a hundred studies lack a
  modality or the answer is another one.
  """
  found = summary['complete_cases']
  if not found:
    return Section('', '')
  studies = summary['cohort']['studies']
  question = summary['question']
  answer = question.get('complete_cases')
  have = f'{found["studies"]:,} of {studies:,} studies have all modalities'
  if not content.complete:
    return Section('complete', 'Complete cases', brief=have)
  same = answer == question['verdict']
  gain = next(
    (
      x.difference
      for _, rows in content.complete
      for x in rows
      if x.arm == question['arm']
    ),
    None,
  )
  said = 'the answer is the same' if same else f'there it is {answer}'
  if gain:
    number = text_lib.interval(
      dataclasses.replace(gain, reason=''), text_lib.Reasons(), signed=True
    )
    said += f' ({question["arm"]} {number})'
  full = not same or studies - found['studies'] > _LACKING * studies
  return Section(
    'complete',
    'Complete cases',
    brief=f'{have}; {said}' if answer else have,
    tables=[
      results.arms(
        content,
        content.complete,
        name='complete_cases',
        title=content.complete_title,
      )
    ]
    if full
    else [],
  )


def curves(summary: Mapping[str, Any], curves: Mapping[str, Any]) -> Section:
  """Curves of a few arms."""
  arms = [a for a in choices.shown(summary) if a in curves]
  chosen = _CHOSEN if arms else ''
  out = choices.crowded_out(summary)
  if arms and out:
    chosen += f'At most {choices.MOST} are drawn, without {", ".join(out)}. '
  arms = arms or [a for a in curves if a != curves_lib.TREAT_ALL]
  arms = arms[: curves_lib.MOST]
  figures = []
  probabilities = summary['task']['kind'] != types.REGRESSION
  # Curves of a survival task are by time, those of others by label.
  link = ' at ' if summary['task']['kind'] == types.SURVIVAL else ', '
  for kind in curves_lib.kinds(curves, arms):
    title, x, y, meaning = curves_lib.KINDS[curves_lib.base(kind)]
    label = kind.partition('/')[2]
    figures.append(
      drawn(
        f'curve_{beside.slug(kind)}',
        f'{title}{link}{label}' if label else title,
        meaning,
        curves_lib.draw(curves, kind, arms, probabilities=probabilities),
        details=f'{y} against {x} of {", ".join(arms)}.',
      )
    )
  lead = (
    [
      f'{chosen}Means over folds and seeds, with pointwise 95% bands; every '
      'arm is in the files beside this page.'
    ]
    if figures
    else []
  )
  return Section('curves', 'Curves', lead=lead, figures=figures, shown=_SHOWN)


def calibration(summary: Mapping[str, Any]) -> Section:
  """Calibration before and after recalibration."""
  return Section(
    'calibration',
    'Calibration',
    brief=_off(summary),
    tables=[results.miscalibrated(summary), results.recalibration(summary)],
  )


def _off(summary) -> str:
  """The arms whose probabilities are miscalibrated."""
  off = list(first.miscalibrated(summary))
  return f'miscalibrated: {", ".join(off)}' if off else ''


def training(
  summary: Mapping[str, Any], content: content_lib.Content
) -> Section:
  """What training anew changes."""
  table = results.by_fold(summary)
  return Section(
    'training',
    'Variability of training',
    brief='what training anew changes is not in the intervals' if table else '',
    tables=[table] if table else [],
  )


def history(summary: Mapping[str, Any]) -> Section:
  """Every arm that was started in the run folder.

  One line if all of them finished.
  """
  entries = summary.get('history')
  if not entries:
    return Section('', '')
  others = [x['arm'] for x in entries if x['status'] != 'finished']
  title = 'Every arm ever run in this folder'
  if not others:
    brief = f'all {len(entries)} finished'
    return Section('history', title, brief=brief)
  count = words.counted(len(others), 'arm')
  return Section(
    'history',
    title,
    brief=f'{count} did not finish: {", ".join(others)}',
    tables=[results.history(entries)],
  )


def registration(summary: Mapping[str, Any]) -> Section:
  """What was fixed beforehand."""
  found = summary.get('registration')
  if not found:
    return Section('', '')
  rows = [
    ('SHA-256', found.get('sha256')),
    ('metric', found.get('metric')),
    ('margin', found.get('margin')),
    ('reference', found.get('reference')),
    ('arms', found.get('arms')),
  ]
  deviations = found.get('deviations') or []
  return Section(
    'registration',
    'What was fixed beforehand',
    brief=words.counted(len(deviations), 'deviation')
    if deviations
    else 'no deviation',
    lead=[
      *([f'Deviation: {x}' for x in deviations] or ['No deviation was found.']),
      *(found.get('unchecked') or ()),
    ],
    tables=[
      tables_lib.plain_table(
        'registration',
        'The registered analysis',
        [
          tables_lib.Column('what', word=True),
          tables_lib.Column('fixed', word=True),
        ],
        [
          [tables_lib.word(k), tables_lib.word(content_lib.plain_text(v))]
          for k, v in rows
          if v is not None
        ],
        folded=True,
      )
    ],
  )


def details(
  summary: Mapping[str, Any], content: content_lib.Content
) -> Section:
  """Tables of everything else."""
  return Section(
    'details',
    'All other numbers',
    brief='every metric of every arm, every test part',
    tables=[results.metrics(content), results.folds(content)],
  )


def curve_tables(curves: Mapping[str, Any]) -> list[tables_lib.Table]:
  """Every point of every arm's curves, one table for each kind, for files."""
  curves = curves_lib.flat(curves)
  arms = [a for a in curves if a != curves_lib.TREAT_ALL]
  found = []
  for kind in curves_lib.kinds(curves, arms):
    rows = []
    for arm in arms:
      if kind not in curves[arm]:
        continue
      points = curves_lib.points(curves[arm][kind])
      empty = [float('nan')] * len(points['x'])
      for x, y, low, high in zip(
        points['x'],
        points['y'],
        points.get('low', empty),
        points.get('high', empty),
        strict=True,
      ):
        number = text_lib.Number(
          *(None if v != v else v for v in (y, low, high))
        )
        rows.append(
          [
            tables_lib.word(arm),
            tables_lib.plain(x),
            tables_lib.Cell(number=number),
          ]
        )
    _, x_name, y_name, _ = curves_lib.KINDS[curves_lib.base(kind)]
    found.append(
      tables_lib.plain_table(
        f'curve_{beside.slug(kind)}',
        kind,
        [
          tables_lib.Column('arm', word=True),
          tables_lib.Column(x_name),
          tables_lib.Column(y_name, interval=True),
        ],
        rows,
        printed=False,
      )
    )
  return found
