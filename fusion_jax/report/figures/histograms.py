"""How scores are distributed among those with and without an outcome."""

from collections.abc import Mapping, Sequence

from fusion_jax.report.figures import matrices, style


def shares(counts: Sequence[float]) -> list[float]:
  """Of all of one outcome; zeros if there is nobody."""
  whole = sum(counts)
  return [x / whole if whole else 0.0 for x in counts]


def highest(entries: Sequence[Mapping[str, Sequence[float]]]) -> float:
  """The highest bar of several histograms, which then share an axis."""
  return max(
    max(shares(x[name])) for x in entries for name in ('event', 'no_event')
  )


def draw(
  entry: Mapping[str, Sequence[float]],
  *,
  x_name: str,
  top: float,
  outcomes: tuple[str, str] = ('with the event', 'without'),
):
  """Two histograms as a matplotlib figure; None if they are of nobody.

  Args:
    entry: {edges (b + 1,), event (b,), no_event (b,)} counts of studies.
    x_name: of the scores.
    top: the highest share of a bin that the axis has room for.
    outcomes: names of those with the event and of those without.
  """
  if not sum(entry['event']) + sum(entry['no_event']):
    return None
  with style.context():
    canvas = style.new(4.2, 3.9)
    axes = canvas.subplots()
    for number, (name, words) in enumerate(
      zip(('event', 'no_event'), outcomes, strict=True)
    ):
      look = style.look(number)
      axes.stairs(
        shares(entry[name]),
        entry['edges'],
        fill=True,
        color=look['color'],
        alpha=0.22,
        linewidth=0,
      )
      axes.stairs(
        shares(entry[name]),
        entry['edges'],
        color=look['color'],
        linestyle=look['linestyle'],
        linewidth=1.5,
        label=f'{words} (n = {matrices.count(sum(entry[name]))})',
      )
    axes.set_xlim(-0.01, 1.01)
    axes.set_ylim(0, 1.06 * top)
    axes.set_xlabel(x_name)
    axes.set_ylabel('share of those with the outcome')
    style.legend(canvas, axes)
  return canvas
