"""The sections of a report, in their order, for the page and for files."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fusion_jax.report import (
  audits,
  beside,
  checklists,
  examples,
  first,
  glossary,
  made_of,
  methods,
  overview,
  pictures_time,
  run_box,
  scrutiny,
)
from fusion_jax.report import cohort as cohort_lib
from fusion_jax.report import content as content_lib
from fusion_jax.report import pictures as pictures_lib
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
  alarms: Sequence[audits.Audit]
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
  pictures = curves or {}
  drawn = curves_lib.flat(pictures)
  content = content_lib.build(summary)
  facts = content.facts
  alarms = audits.alarms(summary)
  laid_out = [
    sections_lib.arms(summary, content),
    sections_lib.complete(summary, content),
    cohort_lib.section(summary),
    made_of.section(summary),
    sections_lib.curves(summary, drawn),
    pictures_lib.confusion(summary, pictures),
    pictures_lib.scores(summary, pictures),
    pictures_lib.reclassification(summary, pictures),
    pictures_time.risk_groups(summary, pictures),
    pictures_time.residuals(summary, pictures),
    scrutiny.controls(summary, facts),
    scrutiny.audits(summary, facts),
    scrutiny.subgroups(summary, facts),
    scrutiny.missing(summary, facts),
    scrutiny.learning(summary, facts),
    scrutiny.tradeoffs(summary, content),
    scrutiny.image_value(summary),
    sections_lib.calibration(summary, facts),
    examples.section(shown),
    pictures_lib.training(summary, pictures),
    sections_lib.training(summary),
    sections_lib.history(summary),
    sections_lib.registration(summary, facts),
    sections_lib.details(content),
  ]
  kept = [x for x in laid_out if x]
  paragraphs, references = methods.write(summary)
  return Page(
    content=content,
    screen=first.build(summary),
    overview=overview.build(summary, content),
    alarms=alarms,
    # An alarm is shown once, at the top.
    warnings=audits.other_warnings(content.warnings, alarms),
    sections=kept,
    meanings={
      table.name: glossary.meanings(table, facts)
      for section in kept
      for table in section.tables
    },
    methods=paragraphs,
    references=references,
    checklists=checklists.build(summary, drawn),
    run=[*content.about, *run_box.facts(summary)],
    links=beside.links(summary, curves=bool(curves)),
  )
