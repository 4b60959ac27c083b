"""Shapley values: what each player adds to a game, over all orders of joining.

The value of player i of m is the mean, over all orders in which players can
join, of what the game's value grows by as i joins (Shapley 1953, A value for
n-person games):

  phi_i = sum over S without i of |S|! (m - |S| - 1)! / m! (v(S + i) - v(S)).

Here players are modalities and v(S) is a metric of one fitted model that sees
the modalities S, all others withheld. The values add up to v(all) - v(none).
Up to MOST_EXACT players every set is evaluated. With more, the mean is over
ORDERS random orders (Castro, Gomez, Tejada 2009, Polynomial calculation of the
Shapley value based on sampling), with a standard error; it adds up as well.
"""

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np

Coalition = frozenset[str]

# 62 sets besides none and all.
MOST_EXACT = 6
# Of more players each takes one set for every player but the last.
ORDERS = 12
# Where all runs have the same orders, what is kept of one serves the next.
_SEED = 1953


def coalitions(players: Sequence[str]) -> list[Coalition]:
  """The sets of players, neither none nor all, whose values are needed."""
  if len(players) <= MOST_EXACT:
    return [
      frozenset(x)
      for k in range(1, len(players))
      for x in itertools.combinations(players, k)
    ]
  found = dict.fromkeys(
    frozenset(order[:k])
    for order in _orders(players)
    for k in range(1, len(players))
  )
  return list(found)


def values(
  players: Sequence[str], value: Mapping[Coalition, np.ndarray]
) -> dict[str, np.ndarray]:
  """The value of each player, of the shape of the games' values.

  Args:
    players: m names.
    value: of each of `coalitions`, of none and of all; arrays of one shape
      hold one game an entry.
  """
  if len(players) > MOST_EXACT:
    return {p: np.mean(x, axis=0) for p, x in _joined(players, value).items()}
  m, found = len(players), {}
  for p in players:
    others = [x for x in players if x != p]
    total = 0.0
    # From all others down to none.
    for k in reversed(range(m)):
      weight = 1 / (m * math.comb(m - 1, k))
      for s in map(frozenset, itertools.combinations(others, k)):
        total = total + weight * (value[s | {p}] - value[s])
    found[p] = total
  return found


def standard_errors(
  players: Sequence[str], value: Mapping[Coalition, np.ndarray]
) -> dict[str, np.ndarray] | None:
  """Of `values`, from the orders that were drawn; None where none were."""
  if len(players) <= MOST_EXACT:
    return None
  return {
    p: np.std(x, axis=0, ddof=1) / math.sqrt(ORDERS)
    for p, x in _joined(players, value).items()
  }


def _orders(players) -> list[list[str]]:
  """ORDERS random orders of the players, whatever order they are listed in."""
  rng = np.random.default_rng([_SEED, len(players)])
  names = sorted(players)
  return [
    [names[i] for i in rng.permutation(len(names))] for _ in range(ORDERS)
  ]


def _joined(players, value) -> dict[str, list[np.ndarray]]:
  """By player, by how much the value grew as it joined in each order."""
  found: dict[str, list[np.ndarray]] = {p: [] for p in players}
  for order in _orders(players):
    for k, p in enumerate(order):
      before = value[frozenset(order[:k])]
      found[p].append(value[frozenset(order[: k + 1])] - before)
  return found
