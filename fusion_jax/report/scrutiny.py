"""Sections that ask what a gain is worth: controls, audits, groups, costs."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import (
  beside,
  choices,
  findings,
  names,
  results,
  robustness,
  sections,
  side,
)
from fusion_jax.report import content as content_lib
from fusion_jax.report import groups as groups_lib
from fusion_jax.report import tables as tables_lib
from fusion_jax.report.figures import forest, lines

_UNDRAWN = ' Arms without a value are in the table, with the reason.'


def controls(summary: Mapping[str, Any]) -> sections.Section:
  """Whether the gain is fusion."""
  arm = choices.main_arm(summary)
  metric = names.of_comparison(summary)
  canvas = forest.draw(
    findings.control_lines(summary, arm), axis=f'{metric} lost'
  )
  sentences = findings.control_sentences(summary)
  main = (summary.get('controls') or {}).get(arm, {}).get('sentence')
  return sections.Section(
    'controls',
    'Is the gain fusion?',
    brief=main or ''.join(sentences[:1]),
    figures=[
      sections.drawn(
        'controls',
        f'What {arm} loses under each control',
        'Right of 0 the control does harm: what it takes away was used.',
        canvas,
        wide=True,
      )
    ],
    tables=[
      findings.fusion_answers(summary),
      findings.controls(summary),
      findings.shapley(summary),
      tables_lib.plain_table(
        'controls_in_words',
        'Every arm in words',
        [tables_lib.Column('controls in words', word=True)],
        [[tables_lib.word(x)] for x in sentences],
        folded=True,
      ),
    ],
  )


def audits(summary: Mapping[str, Any]) -> sections.Section:
  """What should not predict the label."""
  found = findings.audits(summary)
  return sections.Section(
    'audits',
    'Audits',
    brief=findings.audits_in_brief(found),
    tables=[findings.audit_table(found)],
  )


def subgroups(summary: Mapping[str, Any]) -> sections.Section:
  """Metrics and gains within groups."""
  arm = choices.main_arm(summary)
  metric = names.of_comparison(summary)
  canvas = forest.draw(
    findings.subgroup_lines(summary, arm),
    axis=f'gain in {metric}',
    margin=summary['evaluation']['margin'],
  )
  return sections.Section(
    'subgroups',
    'Subgroups',
    brief=_groups(summary),
    lead=[
      *groups_lib.interaction_lines(summary),
      *findings.suppressed(summary),
      *groups_lib.small_sites(summary),
    ],
    figures=[
      sections.drawn(
        'subgroups',
        f'Gain of {arm} over the best single modality in every subgroup',
        'Intervals hold for one subgroup at a time; that one leaves out 0 and '
        'another does not is no evidence that the gain differs. Groups that '
        'are too small are left out.',
        canvas,
        wide=True,
      )
    ],
    tables=[
      groups_lib.interactions(summary),
      findings.subgroups(summary),
      findings.equalised_odds(summary),
      groups_lib.calibration_by_site(summary),
    ],
  )


def _groups(summary) -> str:
  """How many groups there are, and how many are shown."""
  parts = summary.get('subgroups') or ()
  if not parts:
    return ''
  hidden = sum(bool(x.get('suppressed')) for x in parts)
  small = f'; {hidden} too small to be shown' if hidden else ''
  return f'{words.counted(len(parts) - hidden, "group")}{small}'


def missing(summary: Mapping[str, Any]) -> sections.Section:
  """What becomes of arms as studies lose a modality."""
  metric = names.of_comparison(summary)
  panels = robustness.missing_series(summary, choices.shown(summary))
  figures = [
    sections.drawn(
      f'missing_{beside.slug("_".join(panel))}',
      f'Studies lose a modality: {", ".join(panel)}',
      f'{metric} of each arm by share of test studies that lose the modality, '
      'with pointwise 95% bands.',
      lines.draw(series, x_name='share of studies without it', y_name=metric),
    )
    for panel, series in panels.items()
  ]
  return sections.Section(
    'missing',
    'Missing modalities',
    figures=figures,
    tables=[robustness.missing(summary)],
  )


def learning(summary: Mapping[str, Any]) -> sections.Section:
  """What becomes of arms with fewer patients to train on."""
  metric = names.of_comparison(summary)
  size, panels = robustness.learning_series(summary, choices.shown(summary))
  figures = []
  for panel, series in panels.items():
    name = '_'.join(['learning', *panel])
    told = f': {", ".join(panel)}' if panel else ''
    figures.append(
      sections.drawn(
        beside.slug(name),
        f'Learning curve{told}',
        f'{metric} of each arm by size of the training part, with pointwise '
        '95% bands.',
        lines.draw(
          series,
          x_name=f'{"share" if size == "fraction" else size} trained on',
          y_name=metric,
        ),
      )
    )
  return sections.Section(
    'learning',
    'Learning curves',
    figures=figures,
    tables=[robustness.learning(summary)],
  )


def tradeoffs(
  summary: Mapping[str, Any], content: content_lib.Content
) -> sections.Section:
  """What arms cost and are worth."""
  figures = []
  for cost, spots in robustness.spots(summary).items():
    name = robustness.COSTS[cost]
    figures.append(
      sections.drawn(
        f'tradeoff_{beside.slug(cost)}',
        f'{content.metric} against {name}',
        'The dashed line joins the arms that no cheaper arm beats (Pareto '
        'front).' + ('' if len(spots) == len(summary['arms']) else _UNDRAWN),
        lines.scatter(
          spots,
          cost_name=name,
          y_name=content.metric,
          unit='s' if cost.endswith('seconds') else '',
        ),
      )
    )
  tables = [robustness.tradeoffs(summary)]
  if not tables[0] and side.costs(content):
    tables = [results.side(content)]
  return sections.Section(
    'tradeoffs', 'Costs and trade-offs', figures=figures, tables=tables
  )


def image_value(summary: Mapping[str, Any]) -> sections.Section:
  """What acquiring the image is worth."""
  shown = choices.shown(summary)
  series = robustness.image_series(
    summary, [a for a in shown if summary['arms'][a]['role'] == 'fusion']
  )
  return sections.Section(
    'image_value',
    'The value of acquiring the image',
    figures=[
      sections.drawn(
        'image_value',
        'Net benefit of image and EHR less that of EHR alone',
        'Above 0 the image improves decisions at that threshold, its own costs '
        'apart. Pointwise 95% bands.',
        lines.draw(
          series,
          x_name='threshold probability',
          y_name='net benefit gained',
          zero=True,
        ),
      )
    ],
    tables=[robustness.for_whom(summary)],
  )
