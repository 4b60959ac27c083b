"""The sections of a report, one function each."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import types
from fusion_jax.report import choices, findings, results, robustness
from fusion_jax.report import content as content_lib
from fusion_jax.report import groups as groups_lib
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
    lead: paragraphs before all else.
    figures: drawings.
    tables: tables.
  """

  name: str
  title: str
  lead: Sequence[str] = ()
  figures: Sequence[style.Drawn] = ()
  tables: Sequence[tables_lib.Table] = ()

  def __bool__(self) -> bool:
    return bool(self.lead or self.figures or self.tables)


# Of docs/report.md.
_CHOSEN = (
  'The arms that were the reference of some fold, the best arm of a modality '
  'that never was, the best fusion arm of each strategy and the one that '
  'carries the verdict. '
)
_UNDRAWN = ' Arms without a value are in the table, with the reason.'


def _drawn(name, title, caption, canvas, **options) -> style.Drawn | None:
  if canvas is None:
    return None
  return style.Drawn(name, title, caption, canvas, **options)


def arms(summary: Mapping[str, Any], content: content_lib.Content) -> Section:
  """Every arm, its difference and its verdict."""
  metric = content.metric
  rows = [r for r in content.rows() if r.difference]
  margin = text_lib.plain(content.margin)
  side = 'Right' if content.higher_is_better else 'Left'
  title = f'Difference in {metric} from {content.reference}'
  canvas = forest.draw(
    [forest.Line(r.arm, r.difference) for r in rows],
    axis=f'difference in {metric}',
    margin=content.margin,
  )
  sentences = [
    x['sentence'] for x in summary['comparisons'] if x.get('sentence')
  ]
  return Section(
    'arms',
    'Every arm',
    figures=[
      _drawn(
        'differences',
        title,
        f'{side} of 0 fusion is better. Lines are the simultaneous intervals '
        f'of the table; the shaded band is the margin of equivalence, '
        f'±{margin}.',
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
    ],
  )


def complete(content: content_lib.Content) -> Section:
  """The same on studies that have all modalities."""
  if not content.complete_title:
    return Section('', '')
  return Section(
    'complete',
    'Complete cases',
    lead=[] if content.complete else [f'{content.complete_title}.'],
    tables=[
      results.arms(
        content,
        content.complete,
        name='complete_cases',
        title=content.complete_title,
      )
    ]
    if content.complete
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
      _drawn(
        f'curve_{slug(kind)}',
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
  return Section('curves', 'Curves', lead=lead, figures=figures)


def controls(summary: Mapping[str, Any]) -> Section:
  """Whether the gain is fusion."""
  arm = choices.main_arm(summary)
  metric = summary['evaluation']['metric']
  canvas = forest.draw(
    findings.control_lines(summary, arm), axis=f'{metric} lost'
  )
  sentences = findings.control_sentences(summary)
  main = (summary.get('controls') or {}).get(arm, {}).get('sentence')
  return Section(
    'controls',
    'Is the gain fusion?',
    lead=[main] if main else sentences[:1],
    figures=[
      _drawn(
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


def audits(summary: Mapping[str, Any]) -> Section:
  """What should not predict the label."""
  found = findings.audits(summary)
  return Section(
    'audits',
    'Audits: what should not predict the label',
    tables=[findings.audit_table(found)],
  )


def subgroups(summary: Mapping[str, Any]) -> Section:
  """Metrics and gains within groups."""
  arm = choices.main_arm(summary)
  metric = summary['evaluation']['metric']
  canvas = forest.draw(
    findings.subgroup_lines(summary, arm),
    axis=f'gain in {metric}',
    margin=summary['evaluation']['margin'],
  )
  return Section(
    'subgroups',
    'Subgroups',
    lead=[
      *groups_lib.interaction_lines(summary),
      *findings.suppressed(summary),
      *groups_lib.small_sites(summary),
    ],
    figures=[
      _drawn(
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


def missing(summary: Mapping[str, Any]) -> Section:
  """What becomes of arms as studies lose a modality."""
  metric = summary['evaluation']['metric']
  panels = robustness.missing_series(summary, choices.shown(summary))
  figures = [
    _drawn(
      f'missing_{slug("_".join(panel))}',
      f'Studies lose a modality: {", ".join(panel)}',
      f'{metric} of each arm by share of test studies that lose the modality, '
      'with pointwise 95% bands.',
      lines.draw(series, x_name='share of studies without it', y_name=metric),
    )
    for panel, series in panels.items()
  ]
  return Section(
    'missing',
    'Missing modalities',
    figures=figures,
    tables=[robustness.missing(summary)],
  )


def learning(summary: Mapping[str, Any]) -> Section:
  """What becomes of arms with fewer patients to train on."""
  metric = summary['evaluation']['metric']
  size, panels = robustness.learning_series(summary, choices.shown(summary))
  figures = []
  for panel, series in panels.items():
    name = '_'.join(['learning', *panel])
    told = f': {", ".join(panel)}' if panel else ''
    figures.append(
      _drawn(
        slug(name),
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
  return Section(
    'learning',
    'Learning curves',
    figures=figures,
    tables=[robustness.learning(summary)],
  )


def tradeoffs(
  summary: Mapping[str, Any], content: content_lib.Content
) -> Section:
  """What arms cost and are worth."""
  figures = []
  for cost, spots in robustness.spots(summary).items():
    name = robustness.COSTS[cost]
    figures.append(
      _drawn(
        f'tradeoff_{slug(cost)}',
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
  worth = robustness.tradeoffs(summary)
  return Section(
    'tradeoffs',
    'Costs and trade-offs' if worth else content.side_title(),
    figures=figures,
    tables=[worth, results.side(content)],
  )


def image_value(summary: Mapping[str, Any]) -> Section:
  """What acquiring the image is worth."""
  shown = choices.shown(summary)
  series = robustness.image_series(
    summary, [a for a in shown if summary['arms'][a]['role'] == 'fusion']
  )
  return Section(
    'image_value',
    'The value of acquiring the image',
    figures=[
      _drawn(
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


def calibration(summary: Mapping[str, Any]) -> Section:
  """Calibration before and after recalibration."""
  return Section(
    'calibration',
    'Calibration',
    tables=[results.recalibration(summary)],
  )


def training(
  summary: Mapping[str, Any], content: content_lib.Content
) -> Section:
  """What training anew changes."""
  table = results.by_fold(summary)
  lead = [
    'What training anew changes is not in the intervals: fold sd is that of '
    'the mean over folds, corrected for shared training studies; seed sd that '
    'between seeds within a fold.'
  ]
  return Section(
    'training', 'Variability of training', lead if table else [], tables=[table]
  )


def history(summary: Mapping[str, Any]) -> Section:
  """Every arm that was started in the run folder."""
  entries = summary.get('history')
  if not entries:
    return Section('', '')
  return Section(
    'history',
    'Every arm ever run in this folder',
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
      )
    ],
  )


def details(
  summary: Mapping[str, Any], content: content_lib.Content
) -> Section:
  """Tables of everything else."""
  return Section(
    'details',
    'All numbers',
    tables=[
      results.folds(content),
      results.against(summary),
      results.other_tests(summary),
      results.metrics(content),
    ],
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
        f'curve_{slug(kind)}',
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


def slug(text: str) -> str:
  """A file name and anchor: lower case letters, digits and '_'."""
  found = ''.join(c if c.isascii() and c.isalnum() else '_' for c in text)
  return found.lower().strip('_') or 'x'
