"""The sections of a report, in their order, for the page and for files."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fusion_jax.report import (
  beside,
  checklists,
  examples,
  findings,
  first,
  glossary,
  made_of,
  methods,
  overview,
  run_box,
  scrutiny,
)
from fusion_jax.report import cohort as cohort_lib
from fusion_jax.report import content as content_lib
from fusion_jax.report import sections as sections_lib
from fusion_jax.report import tables as tables_lib
from fusion_jax.report.figures import curves as curves_lib
from fusion_jax.report.figures import style


@dataclasses.dataclass(frozen=True)
class Page:
  """A whole report.

  Attributes:
    content: what the terminal shows as well.
    screen: the answer, first on the page.
    overview: the forest below it.
    alarms: audits that say a shortcut predicts the label.
    warnings: other lines the reader must see.
    sections: in order; none is empty.
    meanings: by name of a table, what its columns mean.
    methods: paragraphs ready to paste.
    references: what these cite.
    checklists: with the run's answers.
    run: (name, text) of date, machine, versions, paths.
    links: (path, name, what it holds) of files beside the page.
  """

  content: content_lib.Content
  screen: first.Screen
  overview: overview.Overview
  alarms: Sequence[findings.Audit]
  warnings: Sequence[str]
  sections: Sequence[sections_lib.Section]
  meanings: Mapping[str, Sequence[tuple[str, str]]]
  methods: Sequence[str]
  references: Sequence[str]
  checklists: Sequence[checklists.Checklist]
  run: Sequence[tuple[str, str]]
  links: Sequence[tuple[str, str, str]]

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
    summary: what `summary.json` holds; sections that are not there are left
      out.
    curves: what `curves.json` holds, if there is one.
    shown: what `examples.json` holds, if the command asked for it.
  """
  beside_curves = bool(curves)
  curves = curves_lib.flat(curves or {})
  content = content_lib.build(summary)
  alarms = findings.alarms(summary)
  laid_out = [
    sections_lib.arms(summary, content),
    sections_lib.complete(summary, content),
    cohort_lib.section(summary),
    made_of.section(summary),
    sections_lib.curves(summary, curves),
    scrutiny.controls(summary),
    scrutiny.audits(summary),
    scrutiny.subgroups(summary),
    scrutiny.missing(summary),
    scrutiny.learning(summary),
    scrutiny.tradeoffs(summary, content),
    scrutiny.image_value(summary),
    sections_lib.calibration(summary),
    examples.section(shown),
    sections_lib.training(summary, content),
    sections_lib.history(summary),
    sections_lib.registration(summary),
    sections_lib.details(summary, content),
  ]
  kept = [y for x in laid_out if (y := _without_empty(x))]
  paragraphs, references = methods.write(summary)
  return Page(
    content=content,
    screen=first.build(summary),
    overview=overview.build(summary, content),
    alarms=alarms,
    # An alarm is shown once, at the top.
    warnings=findings.not_said(content.warnings, alarms),
    sections=kept,
    meanings={
      table.name: glossary.meanings(table, summary)
      for section in kept
      for table in section.tables
    },
    methods=paragraphs,
    references=references,
    checklists=checklists.build(summary, curves),
    run=[*content.facts, *run_box.facts(summary)],
    links=beside.links(summary, curves=beside_curves),
  )


def _without_empty(section: sections_lib.Section) -> sections_lib.Section:
  return dataclasses.replace(
    section,
    figures=[x for x in section.figures if x is not None],
    tables=[x for x in section.tables if x],
  )
