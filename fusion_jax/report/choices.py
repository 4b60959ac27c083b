"""Which arms a figure with room for a few shows; tables show all of them."""

from collections.abc import Mapping
from typing import Any

MOST = 4
# Of single modalities there are as many if there are.
_FEWEST = 2


def main_arm(summary: Mapping[str, Any]) -> str | None:
  """The fusion arm that carries the verdict, or else the best one."""
  carried = (summary.get('question') or {}).get('arm')
  if carried in summary['arms']:
    return carried
  fusions = [a for a, x in summary['arms'].items() if x['role'] == 'fusion']
  return _best(summary, fusions)


def shown(summary: Mapping[str, Any]) -> list[str]:
  """At most MOST arms: references of folds, then the best fusion by strategy.

  Of references there are as many as leave room for the others, two at least;
  those of most folds come first. The arm that carries the verdict is always
  among them.
  """
  arms = summary['arms']
  singles, fusions = _candidates(summary)
  singles = singles[: max(MOST - len(fusions), _FEWEST)]
  kept = fusions[: MOST - len(singles)]
  if not singles and not kept:
    return list(arms)[:MOST]
  return [a for a in arms if a in singles] + [a for a in arms if a in kept]


def crowded_out(summary: Mapping[str, Any]) -> list[str]:
  """The arms that `shown` would have if it had room for them."""
  singles, fusions = _candidates(summary)
  found = shown(summary)
  return [a for a in (*singles, *fusions) if a not in found]


def _candidates(summary) -> tuple[list[str], list[str]]:
  """What single modalities and fusion arms stand for, the first ones first."""
  arms = summary['arms']
  votes: dict[str, int] = {}
  best = summary['best_single']['arm']
  if best:
    votes[best] = 1
  singles = sorted(votes, key=lambda a: -votes[a])
  # The best arm of a modality that was never the best stands for it.
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
      # An arm whose strategy is not told stands for itself.
      told = entry.get('strategy') or f'{arm} alone'
      by_strategy.setdefault(told, []).append(arm)
  best = [_best(summary, group) for group in by_strategy.values()]
  found = dict.fromkeys(filter(None, [main_arm(summary), *best]))
  return singles, [a for a in found if a not in singles]


def _modalities(entry) -> tuple[str, ...]:
  """What an arm sees; empty where the summary does not say."""
  return tuple(sorted(entry.get('modalities') or ()))


def _best(summary, arms) -> str | None:
  evaluation = summary['evaluation']
  sign = 1 if evaluation['higher_is_better'] else -1
  values = {
    a: summary['arms'][a]['metrics'][evaluation['metric']]['estimate']
    for a in arms
  }
  known = {a: v for a, v in values.items() if v is not None}
  return max(known, key=lambda a: sign * known[a]) if known else None
