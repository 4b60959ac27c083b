"""What means true and what means false in a table."""

from collections.abc import Collection

from fusion_jax.data import tables

TRUE_VALUES = ('true', '1', 'yes', 'y', 't')
FALSE_VALUES = ('false', '0', 'no', 'n', 'f')
# What also means true where blank means false: ticks.
TICKS = frozenset({'x', '✓', '✔', '☑', '☒', 'checked'})


def lower(text: str) -> str:
  """`text` so that texts of one meaning are equal."""
  return tables.canonical(text).lower()


def truths(
  true_values: Collection[str] = (), false_values: Collection[str] = ()
) -> tuple[set[str], set[str]]:
  """What means true and what means false, `lower`; the usual where empty."""
  true = {lower(x) for x in true_values or TRUE_VALUES}
  false = {lower(x) for x in false_values or FALSE_VALUES}
  return true, false - true if not false_values else false
