"""What an arm gains over chance, divided between what it sees.

The value of a set of modalities is the arm's metric with all others withheld
from the fitted model, that of none the metric of a constant. So it is about
the model that was trained on all, not about what each modality could do in a
model of its own. shapley.py divides it.
"""

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.evaluation import conditions, entries, shapley

# What all together are called, by whether they are two.
_WHOLE = {True: 'both', False: 'all'}

Coalition = shapley.Coalition
Sides = Mapping[str, Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Game:
  """Who divides the gain of an arm, and which conditions tell the values.

  Attributes:
    players: the modalities that the arm sees, or the sides.
    conditions: by set of players that the arm still sees, a condition.
  """

  players: tuple[str, ...]
  conditions: Mapping[Coalition, str]


def game_of(
  seen: Sequence[str], sides: Sides, made: Collection[str]
) -> Game | None:
  """The game that conditions allow; None if they are too few.

  Args:
    seen: modalities that the arm sees.
    sides: the modalities that a condition named by a side withholds.
    made: the conditions under which the arm was evaluated.
  """
  everyone, known = (
    frozenset(seen),
    {*seen, *sum(map(list, sides.values()), [])},
  )
  by_lost: dict[Coalition, str] = {}
  for name in made:
    parts = conditions.withheld_by(name)
    lost = frozenset(m for x in parts for m in sides.get(x, (x,)))
    if parts and lost <= known:
      by_lost.setdefault(lost & everyone, name)
  needed = {s: by_lost.get(everyone - s, '') for s in shapley.coalitions(seen)}
  if len(seen) > 1 and all(needed.values()):
    return Game(tuple(seen), needed)
  if not all(name in made for name in conditions.ABSENT):
    return None
  # Nothing is known but the sides: each of them is one player.
  one, other = conditions.SIDES
  without_one, without_other = conditions.ABSENT
  return Game(
    conditions.SIDES,
    {frozenset({one}): without_other, frozenset({other}): without_one},
  )


def why_none(seen: Sequence[str]) -> dict[str, str]:
  """The reason that stands where there is no game."""
  if len(seen) > len(conditions.SIDES):
    return {
      'reason': f"needs the control '{conditions.SHAPLEY}', which withholds "
      'every set of modalities'
    }
  names = conditions.ABSENT
  if len(seen) > 1:
    names = conditions.of_shapley(seen, {})
  return {'reason': f'needs the conditions {" and ".join(sorted(names))}'}


def divide(
  game: Game,
  values: Mapping[Coalition, np.ndarray],
  replicates: Mapping[Coalition, np.ndarray],
) -> dict[str, Any]:
  """An entry for each player, and one for what they have together.

  Args:
    game: whose.
    values: by set of players, none and all included, (g,) by fold.
    replicates: likewise, (g, r).

  Returns:
    Entries; with 'sampling_se' where not all sets were evaluated.
  """
  parts = shapley.values(game.players, values)
  drawn = shapley.values(game.players, replicates)
  found = {p: entries.of_folds(parts[p], drawn[p]) for p in game.players}
  for p, error in _sampling(game, values).items():
    found[p]['sampling_se'] = error
  none, everyone = frozenset(), frozenset(game.players)
  found[_WHOLE[len(game.players) == len(conditions.SIDES)]] = entries.of_folds(
    values[everyone] - values[none], replicates[everyone] - replicates[none]
  )
  return found


def of_sides(
  game: Game,
  values: Mapping[Coalition, np.ndarray],
  replicates: Mapping[Coalition, np.ndarray],
  sides: Sides,
) -> dict[str, Any]:
  """By side, the sum of its modalities' values; see `divide`."""
  parts = shapley.values(game.players, values)
  drawn = shapley.values(game.players, replicates)
  return {
    side: entries.of_folds(
      sum(parts[m] for m in here), sum(drawn[m] for m in here)
    )
    for side, x in sides.items()
    if (here := [m for m in x if m in parts])
  }


def _sampling(game, values) -> dict[str, float]:
  """Standard errors of the means over folds, from the orders drawn."""
  defined = ~np.isnan(sum(values.values()))
  if not defined.any():
    return {}
  means = {s: x[defined].mean() for s, x in values.items()}
  errors = shapley.standard_errors(game.players, means) or {}
  return {p: float(x) for p, x in errors.items() if math.isfinite(x)}
