"""Which arms of a table of predictions are single modalities, which fusion."""

from collections.abc import Sequence

from fusion_jax.ablation import arms as arms_lib
from fusion_jax.core import errors


def assign(
  present: Sequence[str],
  *,
  singles: Sequence[str] = (),
  fusions: Sequence[str] = (),
  reference: str = '',
) -> tuple[tuple[str, ...], tuple[str, ...]]:
  """Names of the single-modality arms and of the fusion arms.

  Where only one of the two is named, all others are the other kind. Where
  neither is, an arm that has the name of one of the library's has its role,
  and any other is fusion, which takes a reference to compare it with.

  Args:
    present: arms that have predictions.
    singles: named as single modalities.
    fusions: named as fusion.
    reference: an arm to compare with; it is no fusion arm.

  Raises:
    UserError: for a name that has no predictions, that is in both lists, or
      if roles are neither given nor known.
  """
  for flag, names in (
    ('--singles', singles),
    ('--fusions', fusions),
    ('--reference', (reference,) if reference else ()),
  ):
    for name in names:
      if name not in present:
        raise errors.unknown_name('arm', name, present, where=flag)
  for name in singles:
    if name in fusions:
      raise errors.UserError(
        f"Arm '{name}' is in both --singles and --fusions."
      )
  named = {*singles, *fusions}
  rest = [a for a in present if a not in named and a != reference]
  if singles and fusions:
    return tuple(singles), tuple(fusions)
  if singles:
    return tuple(singles), tuple(rest)
  if fusions:
    return tuple(rest), tuple(fusions)
  known = {
    name: arm.strategy == arms_lib.SINGLE
    for name, arm in arms_lib.ARMS.items()
    if arm.strategy != arms_lib.UPSTREAM
  }
  unknown = [a for a in rest if a not in known]
  if unknown and not reference:
    raise errors.UserError(
      f"Is arm '{unknown[0]}' a single modality or fusion? Give "
      '--singles=ARM,... or --reference=ARM. Arms of the file: '
      f'{", ".join(present)}.'
    )
  listed = [a for a in known if a in present]
  return (
    tuple(a for a in listed if known[a]),
    tuple(
      a
      for a in [*listed, *unknown]
      if not known.get(a, False) and a != reference
    ),
  )
