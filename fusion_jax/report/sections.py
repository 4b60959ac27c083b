"""The sections of a report, one function each."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fusion_jax.core import types
from fusion_jax.report import beside, choices, prose, results
from fusion_jax.report import content as content_lib
from fusion_jax.report import facts as facts_lib
from fusion_jax.report import tables as tables_lib
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import curves as curves_lib
from fusion_jax.report.figures import forest, lines, style


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


# So many curves are seen without asking.
_SHOWN = 3
# Of the studies, above which complete cases are shown in full.
_LACKING = 0.01


def build(
  name: str,
  facts: Any = None,
  *,
  lead: Iterable[str] = (),
  figures: Iterable[style.Drawn | None] = (),
  tables: Iterable[tables_lib.Table] = (),
  shown: int = 0,
  **context: Any,
) -> Section:
  """A section whose words are in `templates/sections/NAME.txt`.

  Args:
    name: its anchor too.
    facts: see `prose.passage`.
    lead: paragraphs after those of the passages `lead...`.
    figures: those that are None are left out.
    tables: empty ones are left out.
    shown: how many figures are seen without asking.
    **context: what the passages need.
  """
  document = f'sections/{name}'
  texts = prose.passages(
    document, facts, only=('title', 'brief', 'lead'), **context
  )
  return Section(
    name,
    texts.pop('title'),
    brief=texts.pop('brief', ''),
    lead=[x for x in (*texts.values(), *lead) if x],
    figures=[x for x in figures if x is not None],
    tables=[x for x in tables if x],
    shown=shown,
  )


def drawn(
  document: str,
  name: str,
  canvas: Any,
  facts: Any = None,
  *,
  figure: str = 'figure',
  wide: bool = False,
  **context: Any,
) -> style.Drawn | None:
  """A figure with the passages FIGURE_title, _caption and _details.

  None where there is nothing to draw.
  """
  if canvas is None:
    return None
  texts = prose.passages(
    f'sections/{document}', facts, only=(figure,), **context
  )
  return style.Drawn(
    name,
    texts[f'{figure}_title'],
    texts[f'{figure}_caption'],
    canvas,
    wide=wide,
    details=texts.get(f'{figure}_details', ''),
  )


def arms(summary: Mapping[str, Any], content: content_lib.Content) -> Section:
  """Every arm, its gain and its verdict."""
  canvas = forest.draw(
    [
      forest.Line(
        r.arm, r.difference, heading='' if k else heading, style=r.verdict
      )
      for heading, rows in content.groups
      for k, r in enumerate(x for x in rows if x.difference)
    ],
    axis=f'gain in {content.facts.metric}',
    margin=content.facts.margin,
  )
  sentences = [
    x['sentence'] for x in summary['comparisons'] if x.get('sentence')
  ]
  whole = (summary.get('question') or {}).get('sentence')
  return build(
    'arms',
    answer=whole if whole and content.compared() else '',
    figures=[drawn('arms', 'differences', canvas, content.facts, wide=True)],
    tables=[
      results.arms(content, content.groups),
      tables_lib.sentences(
        'verdicts', 'Every verdict in words', 'verdict in words', sentences
      ),
      results.to_use(summary),
      results.against(summary),
      results.other_tests(summary),
    ],
  )


def complete(
  summary: Mapping[str, Any], content: content_lib.Content
) -> Section | None:
  """The same on studies that have all modalities.

  One line, with the table where more than one in a hundred studies lack a
  modality or the answer is another one.
  """
  if not summary['complete_cases']:
    return None
  question, facts = summary['question'], content.facts
  answer = question.get('complete_cases') if content.complete else None
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
  lacking = facts.studies - facts.complete > _LACKING * facts.studies
  table = results.arms(
    content,
    content.complete,
    name='complete_cases',
    title=content.complete_title,
  )
  return build(
    'complete',
    facts,
    answer=answer,
    same=same,
    arm=question['arm'],
    gain=gain and dataclasses.replace(gain, reason=''),
    tables=[table] if lacking or not same else [],
  )


def curves(summary: Mapping[str, Any], curves: Mapping[str, Any]) -> Section:
  """Curves of a few arms."""
  chosen = [a for a in choices.shown(summary) if a in curves]
  arms = chosen or [a for a in curves if a != curves_lib.TREAT_ALL]
  arms = arms[: curves_lib.MOST]
  task = summary['task']['kind']
  figures = []
  for kind in curves_lib.kinds(curves, arms):
    canvas = curves_lib.draw(
      curves, kind, arms, probabilities=task != types.REGRESSION
    )
    figures.append(
      drawn(
        'curves',
        f'curve_{beside.slug(kind)}',
        canvas,
        names=curves_lib.KINDS[curves_lib.base(kind)],
        label=kind.partition('/')[2],
        survival=task == types.SURVIVAL,
        arms=arms,
      )
    )
  return build(
    'curves',
    drawn=any(figures),
    chosen=bool(chosen),
    left_out=choices.crowded_out(summary),
    most=choices.MOST,
    figures=figures,
    shown=_SHOWN,
  )


def calibration(summary: Mapping[str, Any], facts: facts_lib.Facts) -> Section:
  """Calibration before and after recalibration."""
  return build(
    'calibration',
    miscalibrated=list(facts.miscalibrated),
    tables=[results.miscalibrated(summary), results.recalibration(summary)],
  )


def training(summary: Mapping[str, Any]) -> Section | None:
  """What training anew changes."""
  table = results.by_fold(summary)
  return build('training', tables=[table]) if table else None


def history(summary: Mapping[str, Any]) -> Section | None:
  """Every arm that was started in the run folder.

  One line if all of them finished.
  """
  entries = summary.get('history')
  if not entries:
    return None
  unfinished = [x['arm'] for x in entries if x['status'] != 'finished']
  return build(
    'history',
    started=len(entries),
    unfinished=unfinished,
    tables=[results.history(entries)] if unfinished else [],
  )


def registration(
  summary: Mapping[str, Any], facts: facts_lib.Facts
) -> Section | None:
  """What was fixed beforehand."""
  registered = summary.get('registration')
  if not registered:
    return None
  rows = [
    ('SHA-256', registered.get('sha256')),
    ('metric', registered.get('metric')),
    ('margin', registered.get('margin')),
    ('reference', registered.get('reference')),
    ('arms', registered.get('arms')),
  ]
  return build(
    'registration',
    facts,
    lead=[
      *(
        prose.passage('sections/registration', 'deviation', deviation=x)
        for x in facts.deviations
      ),
      *(registered.get('unchecked') or ()),
    ],
    tables=[
      tables_lib.plain_table(
        'registration',
        'The registered analysis',
        tables_lib.of_words('what', 'fixed'),
        [
          [tables_lib.word(k), tables_lib.word(text_lib.of_value(v))]
          for k, v in rows
          if v is not None
        ],
      )
    ],
  )


def details(content: content_lib.Content) -> Section:
  """Tables of everything else."""
  return build(
    'details', tables=[results.metrics(content), results.folds(content)]
  )


def curve_tables(curves: Mapping[str, Any]) -> list[tables_lib.Table]:
  """Every point of every arm's curves, one table for each kind, for files."""
  curves = curves_lib.flat(curves)
  arms = [a for a in curves if a != curves_lib.TREAT_ALL]
  made = []
  for kind in curves_lib.kinds(curves, arms):
    names = curves_lib.KINDS[curves_lib.base(kind)]
    made.append(
      tables_lib.plain_table(
        f'curve_{beside.slug(kind)}',
        kind,
        [
          *tables_lib.of_words('arm'),
          tables_lib.Column(names['x']),
          tables_lib.Column(names['y'], interval=True),
        ],
        [
          [
            tables_lib.word(arm),
            tables_lib.plain(p.x),
            tables_lib.number(p.number),
          ]
          for arm in arms
          if kind in curves[arm]
          for p in lines.points(curves_lib.points(curves[arm][kind]))
        ],
        printed=False,
      )
    )
  return made
