"""Which arms a figure with room for a few shows; tables show all of them."""

from collections.abc import Mapping
from typing import Any

MOST = 4


def main_arm(summary: Mapping[str, Any]) -> str | None:
  """The fusion arm that carries the verdict, or else the best one."""
  carried = (summary.get('question') or {}).get('arm')
  if carried in summary['arms']:
    return carried
  fusions = [a for a, x in summary['arms'].items() if x['role'] == 'fusion']
  return _best(summary, fusions)


def shown(summary: Mapping[str, Any]) -> list[str]:
  """At most MOST arms: single modalities, then the best fusion by strategy.

  Of single modalities the best one and the best that sees something else; then
  the arm that carries the verdict, and the best of those of other strategies.
  """
  arms = summary['arms']
  singles, fusions = _candidates(summary)
  kept = fusions[: MOST - len(singles)]
  if not singles and not kept:
    return list(arms)[:MOST]
  return [a for a in arms if a in singles] + [a for a in arms if a in kept]


def crowded_out(summary: Mapping[str, Any]) -> list[str]:
  """The arms that `shown` would have if it had room for them."""
  singles, fusions = _candidates(summary)
  drawn = shown(summary)
  return [a for a in (*singles, *fusions) if a not in drawn]


def _candidates(summary) -> tuple[list[str], list[str]]:
  """What single modalities and fusion arms stand for, the first ones first."""
  arms = summary['arms']
  best = summary['best_single']['arm']
  singles = [best] if best in arms else []
  # The best arm of another modality stands for it.
  seen = {_modalities(arms[a]) for a in singles} - {()}
  rest = [
    a
    for a, x in arms.items()
    if x['role'] == 'single' and a not in singles and _modalities(x) not in seen
  ]
  other = _best(summary, rest)
  singles += [other] if other else []
  by_strategy: dict[str, list[str]] = {}
  for arm, entry in arms.items():
    if entry['role'] == 'fusion':
      # An arm whose strategy is not known stands for itself.
      strategy = entry.get('strategy') or f'{arm} alone'
      by_strategy.setdefault(strategy, []).append(arm)
  leaders = [_best(summary, group) for group in by_strategy.values()]
  ranked = _ranked(summary, filter(None, leaders))
  fusions = dict.fromkeys(filter(None, [main_arm(summary), *ranked]))
  return singles, [a for a in fusions if a not in singles]


def _modalities(entry) -> tuple[str, ...]:
  """What an arm sees; empty where the summary does not say."""
  return tuple(sorted(entry.get('modalities') or ()))


def _best(summary, arms) -> str | None:
  return next(iter(_ranked(summary, arms)), None)


def _ranked(summary, arms) -> list[str]:
  """The arms whose metric is known, the best first."""
  evaluation = summary['evaluation']
  sign = 1 if evaluation['higher_is_better'] else -1
  values = {
    a: summary['arms'][a]['metrics'][evaluation['metric']]['estimate']
    for a in arms
  }
  known = {a: v for a, v in values.items() if v is not None}
  return sorted(known, key=lambda a: -sign * known[a])
