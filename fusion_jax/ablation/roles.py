"""Which arms of a table of predictions are single modalities, which fusion."""

import dataclasses
from collections.abc import Sequence

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import families
from fusion_jax.core import errors


@dataclasses.dataclass(frozen=True)
class Roles:
  """What the arms of a table are.

  Attributes:
    singles: names of the single-modality arms.
    fusions: of the fusion arms.
    warnings: what a reader has to be told about that.
  """

  singles: tuple[str, ...]
  fusions: tuple[str, ...]
  warnings: tuple[str, ...] = ()


def assign(
  present: Sequence[str],
  *,
  singles: Sequence[str] = (),
  fusions: Sequence[str] = (),
  reference: str = '',
) -> Roles:
  """The roles of the arms.

  Where only one of the two is named, all others are the other kind. Where
  neither is, an arm that has the name of one of the library's has its role,
  and any other is taken as fusion, with a warning; it takes a reference to
  compare it with.

  Args:
    present: arms that have predictions.
    singles: named as single modalities.
    fusions: named as fusion.
    reference: an arm to compare with; it is none of the fusion arms.

  Raises:
    UserError: for a name that has no predictions, that is in both lists, if
      roles are neither given nor known, or if that leaves no fusion arm or
      nothing to compare it with.
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
  known = {
    name: arm.strategy == arm_lib.SINGLE
    for name, arm in families.review(families.USUAL).items()
    if not arm.extracts
  }
  rest = [a for a in present if a not in (*singles, *fusions, reference)]
  warnings = []
  if not singles and not fusions:
    if reference in known:
      rest.append(reference)
    unknown = [a for a in rest if a not in known]
    if unknown and not reference:
      raise errors.UserError(
        f"Is arm '{unknown[0]}' a single modality or fusion? Give "
        '--singles=ARM,... or --reference=ARM. Arms of the file: '
        f'{", ".join(present)}.'
      )
    if unknown:
      warnings.append(
        f'Taken as fusion, as not named otherwise: {_quoted(unknown)}. Name '
        'single modalities with --singles.'
      )
    listed = [a for a in known if a in rest]
    singles = [a for a in listed if known[a]]
    fusions = [*(a for a in listed if not known[a]), *unknown]
  elif not fusions:
    fusions = rest
  elif not singles:
    singles = rest
  if reference in fusions or (
    reference not in singles and known.get(reference) is False
  ):
    warnings.append(
      f"The reference '{reference}' is fusion itself: verdicts are about "
      'fusion against fusion.'
    )
  fusions = [a for a in fusions if a != reference]
  if not fusions:
    raise errors.UserError(
      'No fusion arm is left to compare: the arms of the file are '
      f'{_quoted(present)}, single modalities {_quoted(singles)}'
      + (f", the reference '{reference}'" if reference else '')
      + '. Name fusion arms with --fusions.'
    )
  if not singles and not reference:
    raise errors.UserError(
      f'There is nothing to compare {_quoted(fusions)} with: the file has no '
      'arm that is not fusion. Give --reference=ARM.'
    )
  return Roles(tuple(singles), tuple(fusions), tuple(warnings))


def _quoted(names: Sequence[str]) -> str:
  return ', '.join(f"'{x}'" for x in names) or 'none'
