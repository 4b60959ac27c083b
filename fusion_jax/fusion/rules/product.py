"""The product of the modalities' probabilities, the prior counted once.

Kittler et al. 1998, "On combining classifiers", IEEE TPAMI 20(3), equation 7:
Bayes' rule where the modalities are independent given the class. In logits (log
probabilities of several classes) the product over R modalities is a sum less
R - 1 times the prior's, which is that of the validation part.
"""

import dataclasses

import numpy as np
from scipy import special

from fusion_jax.core import types
from fusion_jax.fusion import evidence, late


@dataclasses.dataclass(frozen=True)
class Product(late.Rule):
  """Estimates nothing but the prior, unless it is recalibrated."""

  recalibrated: bool = False

  tasks = late.CLASSES

  def fit(self, given):
    return evidence.spread(given)

  def fuse(self, fitted, values, here):
    found = evidence.of(fitted.task, values, here, fitted.state)
    prior = np.asarray(fitted.constant)
    if fitted.task.kind == types.MULTICLASS:
      prior = special.log_softmax(prior)
    return found.sum(axis=0) - (here.sum(axis=0)[:, None] - 1) * prior


@late.RULES.register(
  'product', summary='product of probabilities', missing=True
)
def product(*, recalibrated: bool = False) -> Product:
  """Too sure of itself where the modalities tell the same."""
  return Product(recalibrated)
