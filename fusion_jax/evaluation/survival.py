"""Harrell's concordance index for many weightings at once."""

import numpy as np

from fusion_jax.evaluation import ranking

# Groups of at most this many studies are compared pair by pair.
_DENSE = 256


def c_index(
  time: np.ndarray, event: np.ndarray, scores: np.ndarray
) -> ranking.Kernel:
  """Harrell's C (Harrell et al., 1996, Statistics in Medicine 15, 361-387).

  A pair is comparable if the study with the shorter time had the event, or if
  both times are equal and exactly one had it. Tied scores count half. This is
  what lifelines and scikit-survival compute.

  A study's key is the rank of its time, events before censorings. Two keys
  i < j part at exactly one bit: they agree above it, i has 0 there and j has
  1. So the pairs are counted bit by bit, each bit being one sorted cumulative
  sum: O(r n log n) for n studies and r weightings.

  Args:
    time: (n,) float.
    event: (n,) bool, False where censored.
    scores: (n,) float, higher = riskier.

  Returns:
    A function from (n, r) weights to (r,) indices, NaN where no comparable
    pair has weight.
  """
  event = np.asarray(event, bool)
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

  def kernel(weights):
    sums = ranking.cumulative(weights[order])
    mine = weights[earlier]
    comparable = np.einsum('nr,nr->r', mine, sums[-1] - sums[later])
    concordant = np.zeros(weights.shape[1])
    for first, second, wins in blocks:
      concordant += np.einsum(
        'nr,nr->r', weights[first], wins @ weights[second]
      )
    for first, second, start, below, up_to in levels:
      sums = ranking.cumulative(weights[second])
      won = (sums[below] + sums[up_to]) / 2 - sums[start]
      concordant += np.einsum('nr,nr->r', weights[first], won)
    return ranking.ratio(concordant, comparable)

  return kernel


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
