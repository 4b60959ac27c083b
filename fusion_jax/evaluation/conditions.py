"""The conditions that ask whether a gain is fusion, and their names.

A condition of a table of predictions is named SIDE_KIND, or for sets of
modalities that are withheld together A+B_absent. docs/controls.md says what
each means.
"""

from collections.abc import Mapping, Sequence

from fusion_jax.core import types
from fusion_jax.evaluation import shapley

SIDES = tuple(types.SIDES)
PERMUTED = tuple(f'{m}_permuted' for m in SIDES)
NOISE = tuple(f'{m}_noise' for m in SIDES)
ABSENT = tuple(f'{m}_absent' for m in SIDES)
EMAP = 'emap'
ENSEMBLE = 'ensemble'
CONDITIONS = (*PERMUTED, *NOISE, *ABSENT, EMAP, ENSEMBLE)
# Stands for the conditions that `of_shapley` names.
SHAPLEY = 'shapley'
# The end of conditions that withhold something, and what joins the names of
# what is withheld together.
WITHHELD, AND = '_absent', '+'


def of_shapley(
  seen: Sequence[str], sides: Mapping[str, Sequence[str]]
) -> list[str]:
  """The conditions that Shapley values of modalities are made of.

  Args:
    seen: the modalities that an arm sees.
    sides: the modalities of each side. That of a single modality has the
      condition of its side; all others are named by modality, so that a table
      of predictions tells them without knowing the sides.
  """
  names = {tuple(x): f'{k}{WITHHELD}' for k, x in sides.items() if len(x) == 1}
  found = []
  for kept in shapley.coalitions(seen):
    lost = [m for m in seen if m not in kept]
    usual = f'{AND.join(lost)}{WITHHELD}'
    found.append(names.get(tuple(lost), usual))
  return found


def withheld_by(condition: str) -> list[str]:
  """The modalities and sides that a condition withholds; [] if it does not."""
  if not condition.endswith(WITHHELD):
    return []
  return condition.removesuffix(WITHHELD).split(AND)
