"""Concordance of risks and times for many weightings at once."""

import numpy as np

from fusion_jax.evaluation import censoring, ranking

# Groups of at most this many studies are compared pair by pair.
_DENSE = 256

# Share of the studies that is still followed at the default tau.
_FOLLOWED = 0.1


def c_index(
  time: np.ndarray, event: np.ndarray, scores: np.ndarray
) -> ranking.Kernel:
  """Harrell's C (Harrell et al., 1996, Statistics in Medicine 15, 361-387).

  A pair is comparable if the study with the shorter time had the event, or if
  both times are equal and exactly one had it. Tied scores count half; only
  equal ones are tied. lifelines computes the same, and scikit-survival with
  `tied_tol=0`: by default it also ties scores less than 1e-8 apart, which is no
  equivalence (a and b, b and c can be tied while a and c are not) and depends
  on the scale of the scores.

  Args:
    time: (n,) float.
    event: (n,) bool, False where censored.
    scores: (n,) float, higher = riskier.

  Returns:
    A function from (n, r) weights to (r,) indices, NaN where no comparable
    pair has weight.
  """
  pairs = _pairs(time, np.asarray(event, bool), scores)
  return lambda weights: ranking.ratio(*pairs(weights, weights))


def c_index_uno(
  time: np.ndarray,
  event: np.ndarray,
  scores: np.ndarray,
  tau: float | None = None,
) -> ranking.Kernel:
  """Uno's C (Uno et al., 2011, Statistics in Medicine 30, 1105-1117).

  Pairs are those of `c_index` whose earlier time is before tau; each counts
  1 / G(earlier time)^2 with G of `censoring.survival`, so that the result
  estimates P(riskier study has the event first | it has it before tau)
  whatever the censoring. Equals scikit-survival's `concordance_index_ipcw`
  with the evaluated studies as `survival_train` and `tied_tol=0`; see
  `c_index` on ties.

  Args:
    time: (n,) float.
    event: (n,) bool, False where censored.
    scores: (n,) float, higher = riskier.
    tau: or None for the last time at which a tenth of the weight is still
      followed: later weights 1 / G^2 would let a few studies decide.

  Returns:
    A function from (n, r) weights to (r,) indices, NaN where no comparable
    pair before tau has weight.
  """
  event = np.asarray(event, bool)
  pairs = _pairs(time, event, scores)
  times, curve = censoring.survival(time, event)
  own = censoring.place(times, time)
  last = censoring.horizon(time, _FOLLOWED)

  def kernel(weights):
    limit = last(weights) if tau is None else np.full(weights.shape[1], tau)
    counts = event[:, None] & (time[:, None] < limit) & (weights > 0)
    factor = censoring.inverse(curve(weights)[own], counts)
    return ranking.ratio(*pairs(weights * factor**2, weights))

  return kernel


def _pairs(time, event, scores):
  """Weighted numbers of concordant and of comparable pairs.

  A study's key is the rank of its time, events before censorings. Two keys
  i < j part at exactly one bit: they agree above it, i has 0 there and j has
  1. So the pairs are counted bit by bit, each bit being one sorted cumulative
  sum: O(r n log n) for n studies and r weightings.

  Returns a function of the (n, r) weights of the earlier and of the later
  study of a pair.
  """
  pairs = np.stack([np.asarray(time, np.float64), ~event])
  key = np.unique(pairs, axis=1, return_inverse=True)[1].reshape(-1)
  risk = np.unique(scores, return_inverse=True)[1].reshape(-1)
  key, risk = key.astype(np.int64), risk.astype(np.int64)
  bits = int(key.max(initial=0)).bit_length()
  low = bits
  while low and np.bincount(key >> low).max() > _DENSE:
    low -= 1
  order = np.argsort(key, kind='stable')
  earlier = np.flatnonzero(event)
  later = np.searchsorted(key[order], key[earlier], side='right')
  blocks = _blocks(key, risk, event, low)
  levels = [_level(key, risk, event, bit) for bit in range(low, bits)]

  def count(early, late):
    sums = ranking.cumulative(late[order])
    mine = early[earlier]
    comparable = np.einsum('nr,nr->r', mine, sums[-1] - sums[later])
    concordant = np.zeros(late.shape[1])
    for first, second, wins in blocks:
      concordant += np.einsum('nr,nr->r', early[first], wins @ late[second])
    for first, second, start, below, up_to in levels:
      sums = ranking.cumulative(late[second])
      won = (sums[below] + sums[up_to]) / 2 - sums[start]
      concordant += np.einsum('nr,nr->r', early[first], won)
    return concordant, comparable

  return count


def _blocks(key, risk, event, low):
  """Pairs whose keys agree above the lowest `low` bits, as small matrices."""
  block = key >> low
  order = np.argsort(block, kind='stable')
  cuts = np.flatnonzero(np.diff(block[order])) + 1
  found = []
  for second in np.split(order, cuts):
    first = second[event[second]]
    later = key[first][:, None] < key[second]
    ahead = risk[first][:, None] - risk[second]
    wins = later * (np.sign(ahead) + 1) / 2
    if wins.any():
      found.append((first, second, wins))
  return found


def _level(key, risk, event, bit):
  """Pairs that part at `bit`: both sides sorted by group and risk."""
  width = risk.max() + 1
  place = (key >> (bit + 1)) * width + risk
  right = (key >> bit) & 1 == 1
  first, second = np.flatnonzero(event & ~right), np.flatnonzero(right)
  first = first[np.argsort(place[first], kind='stable')]
  second = second[np.argsort(place[second], kind='stable')]
  group = place[first] // width * width
  return (
    first,
    second,
    np.searchsorted(place[second], group, side='left'),
    np.searchsorted(place[second], place[first], side='left'),
    np.searchsorted(place[second], place[first], side='right'),
  )
