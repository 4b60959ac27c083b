"""The sections of a report, in their order, for the page and for files."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fusion_jax.report import checklists, examples, findings, made_of, methods
from fusion_jax.report import cohort as cohort_lib
from fusion_jax.report import content as content_lib
from fusion_jax.report import sections as sections_lib
from fusion_jax.report import tables as tables_lib
from fusion_jax.report.figures import curves as curves_lib
from fusion_jax.report.figures import style


@dataclasses.dataclass(frozen=True)
class Verdict:
  """The answer to the question as a whole; empty where there is none."""

  asked: str
  word: str
  sentence: str


@dataclasses.dataclass(frozen=True)
class Page:
  """A whole report.

  Attributes:
    content: what the terminal shows as well.
    verdict: the answer, first on the page.
    alarms: audits that say a shortcut predicts the label.
    warnings: other lines the reader must see.
    sections: in order; none is empty.
    methods: paragraphs ready to paste.
    references: what these cite.
    checklists: with the run's answers.
  """

  content: content_lib.Content
  verdict: Verdict
  alarms: Sequence[findings.Audit]
  warnings: Sequence[str]
  sections: Sequence[sections_lib.Section]
  methods: Sequence[str]
  references: Sequence[str]
  checklists: Sequence[checklists.Checklist]

  def figures(self) -> Iterator[style.Drawn]:
    """All drawings, in order."""
    for section in self.sections:
      yield from section.figures

  def tables(self) -> Iterator[tables_lib.Table]:
    """All tables, in order."""
    for section in self.sections:
      yield from section.tables


def build(
  summary: Mapping[str, Any],
  curves: Mapping[str, Any] | None = None,
  shown: Mapping[str, Any] | None = None,
) -> Page:
  """Lays out all a summary and its curves hold.

  Args:
    summary: what `summary.json` holds; parts that are not there are left out.
    curves: what `curves.json` holds, if there is one.
    shown: what `examples.json` holds, if the command asked for it.
  """
  curves = curves_lib.flat(curves or {})
  content = content_lib.build(summary)
  alarms = findings.alarms(summary)
  laid_out = [
    sections_lib.arms(summary, content),
    sections_lib.complete(content),
    sections_lib.curves(summary, curves),
    sections_lib.controls(summary),
    sections_lib.audits(summary),
    sections_lib.subgroups(summary),
    sections_lib.missing(summary),
    sections_lib.learning(summary),
    sections_lib.tradeoffs(summary, content),
    sections_lib.image_value(summary),
    sections_lib.calibration(summary),
    examples.section(shown),
    cohort_lib.section(summary),
    made_of.section(summary),
    sections_lib.training(summary, content),
    sections_lib.history(summary),
    sections_lib.registration(summary),
    sections_lib.details(summary, content),
  ]
  paragraphs, references = methods.write(summary)
  return Page(
    content=content,
    verdict=verdict(summary),
    alarms=alarms,
    # An alarm is shown once, at the top.
    warnings=findings.not_said(content.warnings, alarms),
    sections=[y for x in laid_out if (y := _without_empty(x))],
    methods=paragraphs,
    references=references,
    checklists=checklists.build(summary, curves),
  )


def verdict(summary: Mapping[str, Any]) -> Verdict:
  """The answer to whether fusion helps, in words."""
  question = summary.get('question')
  if not question:
    return Verdict('', '', '')
  return Verdict(
    content_lib.question(summary),
    question.get('verdict') or 'undecided',
    question.get('sentence') or '',
  )


def _without_empty(section: sections_lib.Section) -> sections_lib.Section:
  return dataclasses.replace(
    section,
    figures=[x for x in section.figures if x is not None],
    tables=[x for x in section.tables if x],
  )
