"""The forest of the first screen: a row for each arm, grouped by strategy."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.report import content as content_lib
from fusion_jax.report import facts as facts_lib
from fusion_jax.report import glossary, names, prose, tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import strips

_SLOPE = 'calibration_slope'


@dataclasses.dataclass(frozen=True)
class Row:
  """One arm.

  Attributes:
    arm: its name.
    type: I or II of early and joint fusion, or empty.
    value: the metric of comparison.
    strip: its gain as an `svg` element.
    gain: the same in numbers; empty for what fusion is compared with.
    verdict: with the sign before it; empty likewise.
    fragile: the other verdict, where it is.
    seconds: of training all it needs.
    slope: of calibration.
    miscalibrated: why its probabilities are, or empty.
    use: whether it is the arm to use.
    style: classes of the page's style sheet.
  """

  arm: str
  type: str
  value: tables.Cell
  strip: str
  gain: tables.Cell
  verdict: tables.Cell
  fragile: str
  seconds: tables.Cell
  slope: tables.Cell
  miscalibrated: str
  use: bool
  style: str


@dataclasses.dataclass(frozen=True)
class Overview:
  """All arms on one scale.

  Attributes:
    title: of the table.
    metric: in plain words.
    axis: values below the strips, an `svg` element; empty without a scale.
    axis_name: what they are.
    compared: whether any arm is.
    with_seconds: whether any time is known.
    with_slope: whether any slope is.
    groups: (strategy, rows).
    notes: (heading, what it means).
  """

  title: str
  metric: str
  axis: str
  axis_name: str
  compared: bool
  with_seconds: bool
  with_slope: bool
  groups: Sequence[tuple[str, Sequence[Row]]]
  notes: Sequence[tuple[str, str]]

  def columns(self) -> int:
    gains = 2 if self.compared else 0
    return 3 + gains + self.with_seconds + self.with_slope


def build(summary: Mapping[str, Any], content: content_lib.Content) -> Overview:
  """Lays out the forest of a summary.

  Single modalities have a grey dot where they lie beside the best of them;
  they have no interval of their own, as they are what is compared with.
  """
  compared = content.compared()
  shown = {
    row.arm: _shown(summary, row, compared)
    for row in content.rows()
    if row.arm != content_lib.PICKED
  }
  margin = content.facts.margin if compared else 0.0
  on = strips.scale(
    [x for x in shown.values() if x is not None],
    zero=0.0 if compared else None,
    margin=margin,
    signed=compared,
  )
  seconds = {arm: _seconds(summary, arm) for arm in shown}
  slopes = {arm: _slope(summary['arms'][arm]) for arm in shown}
  use = _to_use(summary)
  groups = [
    (
      heading,
      [
        _row(
          row,
          shown[row.arm],
          on,
          _duration(seconds[row.arm]),
          slopes[row.arm],
          content,
          use,
        )
        for row in rows
        if row.arm in shown
      ],
    )
    for heading, rows in content.groups
  ]
  with_seconds = any(x is not None for x in seconds.values())
  with_slope = any(x.value is not None for x in slopes.values())
  return Overview(
    title=prose.passage('overview', 'title', content.facts, compared=compared),
    metric=content.facts.metric,
    axis=strips.axis(on) if on else '',
    axis_name=f'gain in {content.facts.metric}'
    if compared
    else content.facts.metric,
    compared=compared,
    with_seconds=with_seconds,
    with_slope=with_slope,
    groups=[x for x in groups if x[1]],
    notes=_notes(content, with_seconds, with_slope),
  )


def _shown(summary, row, compared) -> text_lib.Number | None:
  """What is drawn of an arm."""
  if not compared:
    return row.primary
  if row.difference:
    return row.difference
  best = _best(summary)
  own = row.primary.estimate
  if best is None or own is None:
    return None
  sign = 1 if summary['evaluation']['higher_is_better'] else -1
  return text_lib.Number(sign * (own - best))


def _best(summary) -> float | None:
  """The metric of what arms are compared with."""
  named = facts_lib.reference(summary)
  if named and named in summary['arms']:
    metric = summary['evaluation']['metric']
    return summary['arms'][named]['metrics'][metric]['estimate']
  return summary['best_single'].get('estimate')


def _row(row, number, on, seconds, slope, content, use) -> Row:
  style = names.style(row.verdict, within_margin=row.within_margin)
  reasons = text_lib.Reasons()
  own = dataclasses.replace(row.primary, reason='')
  title = f'{row.arm}: {content.facts.metric} {text_lib.interval(own, reasons)}'
  gain = tables.Cell()
  if row.difference:
    gain = tables.Cell(number=row.difference, signed=True)
    text = text_lib.interval(row.difference, reasons, signed=True)
    over = f' over {row.single}' if row.single else ''
    title += f', gain {text}{over}: {row.verdict}'
  return Row(
    arm=row.arm,
    type=row.type,
    value=tables.Cell(
      text_lib.estimate(own, reasons),
      value=own.estimate,
      reason=row.primary.reason,
    ),
    strip=strips.strip(number, on, style=style or 'single', title=title)
    if on
    else '',
    gain=gain,
    verdict=_verdict(row, content.facts.margin),
    fragile=row.fragile,
    seconds=seconds,
    slope=slope,
    miscalibrated=row.miscalibrated,
    use=use == row.arm,
    style=style or 'single',
  )


def _verdict(row, margin) -> tables.Cell:
  if not row.verdict:
    return tables.Cell()
  sign = names.sign(row.verdict, within_margin=row.within_margin)
  within = f' by < {text_lib.short(margin)}' if row.within_margin else ''
  return tables.Cell(
    f'{sign} {row.verdict}{within}',
    value=row.verdict,
    reason=row.verdict_reason,
  )


def _to_use(summary) -> str:
  """The arm, or the single modality, that the first screen says to use."""
  use = summary.get('use') or {}
  if use.get('advice') not in ('arm', 'single'):
    return ''
  return use.get(use['advice']) or ''


def _seconds(summary, arm) -> float | None:
  """Of training all the arm needs, else of the arm itself."""
  traded = (summary.get('tradeoffs') or {}).get('arms') or {}
  whole = (traded.get(arm) or {}).get('training_seconds')
  if whole is not None:
    return whole
  return (summary['arms'][arm].get('cost') or {}).get('seconds')


def _duration(seconds) -> tables.Cell:
  return tables.Cell(text_lib.duration(seconds), value=seconds)


def _slope(entry) -> tables.Cell:
  probabilities = entry.get('probabilities') or {}
  value = probabilities.get('slope')
  if value is None:
    value = (entry['metrics'].get(_SLOPE) or {}).get('estimate')
  if value is None:
    return tables.Cell()
  return tables.Cell(text_lib.ratio(value), value=value)


def _notes(content, with_seconds, with_slope) -> list:
  """What each column means, in short."""
  facts = content.facts
  titles = [facts.metric]
  if content.compared():
    titles += ['gain', 'verdict']
  columns = [tables.Column(x) for x in titles]
  others = prose.passages(
    'overview',
    facts,
    only=('plot', 'fragile', 'time', 'slope'),
    compared=content.compared(),
    any_fragile=any(row.fragile for row in content.rows()),
    with_seconds=with_seconds,
    with_slope=with_slope,
  )
  return [
    *glossary.meanings(tables.Table('', '', columns, []), facts),
    *(x for x in others.items() if x[1]),
  ]
