"""Sections that ask what a gain is worth: controls, audits, groups, costs."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report import audits as audits_lib
from fusion_jax.report import beside, choices, results, robustness, sections
from fusion_jax.report import content as content_lib
from fusion_jax.report import controls as controls_lib
from fusion_jax.report import facts as facts_lib
from fusion_jax.report import groups as groups_lib
from fusion_jax.report import side as side_lib
from fusion_jax.report import tables as tables_lib
from fusion_jax.report.figures import forest, lines


def controls(
  summary: Mapping[str, Any], facts: facts_lib.Facts
) -> sections.Section:
  """Whether the gain is fusion."""
  arm = choices.main_arm(summary)
  canvas = forest.draw(
    controls_lib.lines(summary, arm), axis=f'{facts.metric} lost'
  )
  sentences = controls_lib.sentences(summary)
  main = (summary.get('controls') or {}).get(arm, {}).get('sentence')
  return sections.build(
    'controls',
    sentence=main or ''.join(sentences[:1]),
    figures=[
      sections.drawn('controls', 'controls', canvas, arm=arm, wide=True)
    ],
    tables=[
      controls_lib.fusion_answers(summary),
      controls_lib.table(summary),
      controls_lib.shapley(summary),
      tables_lib.sentences(
        'controls_in_words',
        'Every arm in words',
        'controls in words',
        sentences,
      ),
    ],
  )


def audits(
  summary: Mapping[str, Any], facts: facts_lib.Facts
) -> sections.Section:
  """What should not predict the label."""
  table = audits_lib.table(audits_lib.audits(summary))
  return sections.build('audits', facts, tables=[table])


def subgroups(
  summary: Mapping[str, Any], facts: facts_lib.Facts
) -> sections.Section:
  """Metrics and gains within groups."""
  arm = choices.main_arm(summary)
  canvas = forest.draw(
    groups_lib.lines(summary, arm),
    axis=f'gain in {facts.metric}',
    margin=facts.margin,
  )
  parts = summary.get('subgroups') or ()
  return sections.build(
    'subgroups',
    groups=len(parts),
    hidden=sum(bool(x.get('suppressed')) for x in parts),
    lead=[
      *groups_lib.interaction_lines(summary),
      *groups_lib.small_groups(summary),
      *groups_lib.small_sites(summary),
    ],
    figures=[
      sections.drawn('subgroups', 'subgroups', canvas, arm=arm, wide=True)
    ],
    tables=[
      groups_lib.interactions(summary),
      groups_lib.table(summary),
      groups_lib.equalised_odds(summary),
      groups_lib.calibration_by_site(summary),
    ],
  )


def missing(
  summary: Mapping[str, Any], facts: facts_lib.Facts
) -> sections.Section:
  """What becomes of arms as studies lose a modality."""
  panels = robustness.missing_series(summary, choices.shown(summary))
  return sections.build(
    'missing',
    figures=[
      sections.drawn(
        'missing',
        f'missing_{beside.slug("_".join(panel))}',
        lines.draw(
          series,
          x_name='share of studies without it',
          y_name=facts.metric,
        ),
        facts,
        panel=panel,
      )
      for panel, series in panels.items()
    ],
    tables=[robustness.missing(summary, facts)],
  )


def learning(
  summary: Mapping[str, Any], facts: facts_lib.Facts
) -> sections.Section:
  """What becomes of arms with fewer patients to train on."""
  size, panels = robustness.learning_series(summary, choices.shown(summary))
  return sections.build(
    'learning',
    figures=[
      sections.drawn(
        'learning',
        beside.slug('_'.join(['learning', *panel])),
        lines.draw(
          series,
          x_name=f'{"share" if size == "fraction" else size} trained on',
          y_name=facts.metric,
        ),
        facts,
        panel=panel,
      )
      for panel, series in panels.items()
    ],
    tables=[robustness.learning(summary, facts)],
  )


def tradeoffs(
  summary: Mapping[str, Any], content: content_lib.Content
) -> sections.Section:
  """What arms cost and are worth."""
  facts = content.facts
  figures = []
  for cost, spots in robustness.spots(summary).items():
    name = robustness.COSTS[cost]
    canvas = lines.scatter(
      spots,
      cost_name=name,
      y_name=facts.metric,
      unit='s' if cost.endswith('seconds') else '',
    )
    figures.append(
      sections.drawn(
        'tradeoffs',
        f'tradeoff_{beside.slug(cost)}',
        canvas,
        facts,
        cost=name,
        undrawn=len(spots) < facts.arms,
      )
    )
  table = robustness.tradeoffs(summary)
  if not table and side_lib.costs(content):
    table = results.side(content)
  return sections.build('tradeoffs', figures=figures, tables=[table])


def image_value(summary: Mapping[str, Any]) -> sections.Section:
  """What acquiring the image is worth."""
  shown = choices.shown(summary)
  series = robustness.image_series(
    summary, [a for a in shown if summary['arms'][a]['role'] == 'fusion']
  )
  canvas = lines.draw(
    series,
    x_name='threshold probability',
    y_name='net benefit gained',
    zero=True,
  )
  return sections.build(
    'image_value',
    figures=[sections.drawn('image_value', 'image_value', canvas)],
    tables=[robustness.for_whom(summary)],
  )
