"""The mean evidence of the modalities that a study has."""

from fusion_jax.fusion import evidence, late


@late.RULES.register('mean', summary='mean evidence', missing=True)
def mean(*, recalibrated: bool = False) -> evidence.Average:
  """Estimates nothing, unless it is recalibrated."""
  return evidence.Average(recalibrated)
