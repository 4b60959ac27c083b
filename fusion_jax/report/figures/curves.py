"""ROC, precision-recall, calibration, decision and risk-coverage curves."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.report import prose
from fusion_jax.report.figures import style

# By name in curves.json: title, x and y axis, and what one should see.
KINDS = prose.data('vocabulary')['curve']
MOST = 4
TREAT_ALL = 'treat_all'
_X = ('x', 'threshold', 'coverage')
_Y = ('y', 'net_benefit', 'risk')
_DIAGONAL = ('roc', 'calibration')


def flat(curves: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
  """By arm and kind, with 'KIND/LABEL' where there is one for each label.

  Curves without a single defined point are left out, as is what is no arm's
  curves: losses by epoch (key `training`), other pictures (key `pictures`).
  """
  by_arm: dict[str, dict[str, Any]] = {}
  for arm, of_arm in curves.items():
    if _losses(of_arm):
      continue
    if 'threshold' in of_arm:
      of_arm = {'decision': of_arm}
    by_kind = {}
    for kind, curve in of_arm.items():
      parts = {kind: curve}
      if not any(k in curve for k in _X):
        parts = {f'{kind}/{label}': x for label, x in curve.items()}
      for name, part in parts.items():
        if kind in KINDS and _defined(part):
          by_kind[name] = part
    by_arm[arm] = by_kind
  return by_arm


def _losses(of_arm) -> bool:
  """Whether this is no arm's curves, but has lists: of models, of arms.

  What is in the lists tells, not their names: an arm may be called 'x'.
  """
  lists = [x for x in of_arm.values() if isinstance(x, list)]
  return any(not _numbers(x) for x in lists)


def _numbers(values) -> bool:
  """Whether a list is a curve's: numbers, None where one is undefined."""
  return bool(values) and all(
    y is None or isinstance(y, int | float) for y in values
  )


def _defined(curve) -> bool:
  points = next((curve[k] for k in _Y if k in curve), None) or ()
  return any(y is not None for y in points)


def kinds(curves: Mapping[str, Any], arms: Sequence[str]) -> list[str]:
  """Names of the curves that any of the arms has ('roc', 'roc/LABEL')."""
  present = [k for arm in arms for k in curves.get(arm, {})]
  order = list(KINDS)
  return sorted(dict.fromkeys(present), key=lambda k: order.index(base(k)))


def base(kind: str) -> str:
  """The kind without a label."""
  return kind.split('/')[0]


def points(curve: Mapping[str, Any]) -> dict[str, list[float]]:
  """x, y and, where there are any, low and high of one curve."""
  x = next((curve[k] for k in _X if k in curve), [])
  y = next((curve[k] for k in _Y if k in curve), [])
  curve_points = {'x': style.values(x), 'y': style.values(y)}
  if curve.get('low') and curve.get('high'):
    curve_points['low'] = style.values(curve['low'])
    curve_points['high'] = style.values(curve['high'])
  return curve_points


def draw(
  curves: Mapping[str, Any],
  kind: str,
  arms: Sequence[str],
  *,
  probabilities: bool = True,
):
  """One kind of curve of several arms as a matplotlib figure.

  Args:
    curves: what `flat` returned.
    kind: one of `kinds`.
    arms: at most MOST.
    probabilities: whether models predict them, and not values in some unit.
  """
  names = KINDS[base(kind)]
  if not probabilities:
    names = {'x': 'predicted', 'y': 'observed'}
  drawn = [arm for arm in arms if kind in curves.get(arm, {})][:MOST]
  with style.context():
    canvas = style.new(4.2, 3.9)
    axes = canvas.subplots()
    tops = []
    for number, arm in enumerate(drawn):
      curve = points(curves[arm][kind])
      if base(kind) == 'roc':
        curve = _from_corner(curve)
      look = style.look(number)
      axes.plot(
        curve['x'],
        curve['y'],
        label=style.label(arm),
        gid=style.arm_id(arm),
        markevery=(0.06 + 0.03 * number, 0.24),
        **look,
      )
      tops += curve['y']
      if 'low' in curve:
        axes.fill_between(
          curve['x'],
          curve['low'],
          curve['high'],
          color=look['color'],
          alpha=0.13,
          linewidth=0,
          gid=style.arm_id(arm, 'band'),
        )
    if base(kind) in _DIAGONAL:
      axes.axline((0, 0), slope=1, color=style.FAINT, linewidth=0.8)
    if base(kind) == 'decision':
      _decision(axes, curves.get(TREAT_ALL, {}).get(kind), tops)
    elif base(kind) == 'risk_coverage':
      axes.set_xlim(0, 1)
      axes.set_ylim(bottom=0)
    elif probabilities:
      axes.set_xlim(-0.01, 1.01)
      axes.set_ylim(-0.01, 1.01)
    axes.set_xlabel(names['x'])
    axes.set_ylabel(names['y'])
    style.legend(canvas, axes)
  return canvas


def _from_corner(curve):
  """A ROC curve from (0, 0), where nobody is called.

  What is stored is its upper end at each place, which at 0 may be above 0.
  """
  return {name: [0.0, *values] for name, values in curve.items()}


def _decision(axes, everyone, tops) -> None:
  if everyone:
    curve = points(everyone)
    axes.plot(
      curve['x'],
      curve['y'],
      color=style.INK,
      linewidth=0.9,
      label='treat all',
    )
  axes.axhline(0, color=style.FAINT, linewidth=0.9, label='treat none')
  # Treating all falls without end; what matters lies around zero.
  defined = [y for y in tops if y == y]
  top = max([*defined, 0.05])
  axes.set_ylim(-0.25 * top, 1.08 * top)
