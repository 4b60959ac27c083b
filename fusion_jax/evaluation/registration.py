"""A registration: what was fixed before the test studies were looked at."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Sequence
from typing import Any

from fusion_jax.core import documents, errors, files

BEST_SINGLE = 'best_single'

_REQUIRED = ('metric', 'margin', 'arms', 'reference')
_KEYS = (*_REQUIRED, 'estimand', 'cohort')

# The smallest gain over the single arms; see comparison.py.
MIN_SINGLE = 'min_single'
ESTIMANDS = (MIN_SINGLE,)


@dataclasses.dataclass(frozen=True)
class Registration:
  """What a file fixes.

  Attributes:
    sha256: hex hash of the file's bytes, to be published beforehand.
    metric: what arms are compared by.
    margin: of equivalence.
    arms: every arm that is to be run, single modalities and fusion.
    reference: 'best_single' or the name of an arm.
    estimand: 'min_single' (the gain over the best single modality on the test
      studies); empty in registrations that came before it, which took the
      single modality picked on each fold's validation part.
    cohort: digest of the cohort; empty if that was not fixed.
  """

  sha256: str
  metric: str
  margin: float
  arms: tuple[str, ...]
  reference: str
  estimand: str = ''
  cohort: str = ''


def load(path: str | os.PathLike) -> Registration:
  """Reads a `.json` or `.toml` file.

  Raises:
    UserError: if it cannot be read, or a key is unknown, missing or of the
      wrong type.
  """
  path = pathlib.Path(path)
  try:
    content = files.regular(path).read_bytes()
  except FileNotFoundError:
    raise errors.UserError(f"No such registration: '{path}'.") from None
  except OSError as e:
    raise errors.UserError(
      f"'{path}' cannot be read: {e.strerror or e}."
    ) from None
  data = _parsed(path, content)
  for name in data:
    if name not in _KEYS:
      raise errors.unknown_name(
        'registered key', name, _KEYS, where=f"'{path}'"
      )
  missing = [name for name in _REQUIRED if name not in data]
  if missing:
    raise errors.UserError(
      f"'{path}': missing {', '.join(map(repr, missing))}; a registration has "
      f'{", ".join(_REQUIRED)}, estimand and, if fixed, cohort.'
    )
  for name in ('metric', 'reference', 'estimand', 'cohort'):
    if not isinstance(data.get(name, ''), str):
      raise errors.UserError(
        f"'{path}': {name} is {data[name]!r}; expected text."
      )
  estimand = data.get('estimand', '')
  if 'estimand' in data and estimand not in ESTIMANDS:
    raise errors.unknown_name(
      'estimand', estimand, ESTIMANDS, where=f"'{path}'"
    )
  margin, arms = data['margin'], data['arms']
  number = isinstance(margin, int | float) and not isinstance(margin, bool)
  if not number or not 0 < margin < float('inf'):
    raise errors.UserError(
      f"'{path}': margin is {margin!r}; expected a positive number."
    )
  listed = isinstance(arms, list) and all(isinstance(a, str) for a in arms)
  if not listed or not arms:
    raise errors.UserError(
      f"'{path}': arms is {arms!r}; expected a list of names."
    )
  return Registration(
    sha256=hashlib.sha256(content).hexdigest(),
    metric=data['metric'],
    margin=float(margin),
    arms=tuple(dict.fromkeys(arms)),
    reference=data['reference'],
    estimand=estimand,
    cohort=data.get('cohort', ''),
  )


def deviations(
  registration: Registration,
  *,
  metric: str,
  margin: float,
  arms: Sequence[str],
  reference: str,
  cohort: str = '',
  seen: str = '',
) -> list[str]:
  """One sentence for everything in which a run is not what was registered.

  Args:
    registration: what was fixed.
    metric: the metric of comparison.
    margin: of equivalence.
    arms: that have predictions.
    reference: 'best_single' or the name of an arm.
    cohort: digest of the cohort; empty if unknown, see `unchecked`.
    seen: when results were seen without this registration; empty if they were
      not, as far as is known.
  """
  points = []
  if seen:
    points.append(
      'It was registered after results were seen: this folder was evaluated '
      f'without this registration on {seen}.'
    )
  for name, here in (
    ('metric', metric),
    ('margin', margin),
    ('reference', reference),
  ):
    fixed = getattr(registration, name)
    if fixed != here:
      points.append(
        f'Registered {name} {_shown(fixed)}, but {_shown(here)} was used.'
      )
  if not registration.estimand and registration.reference == BEST_SINGLE:
    points.append(
      'The registration fixes no estimand: it meant the gain over the single '
      "modality picked on each fold's validation part, which stands beside the "
      f"verdict; the verdict is about the smallest gain ('{MIN_SINGLE}')."
    )
  for arm in registration.arms:
    if arm not in arms:
      points.append(f"Registered arm '{arm}' has no predictions.")
  for arm in arms:
    if arm not in registration.arms:
      points.append(f"Arm '{arm}' was run but is not registered.")
  if registration.cohort and cohort and registration.cohort != cohort:
    points.append(
      f'Registered cohort digest {registration.cohort}, but this cohort has '
      f'digest {cohort}.'
    )
  return points


def unchecked(registration: Registration, *, cohort: str = '') -> list[str]:
  """One sentence for everything of which nobody knows whether it was followed.

  Args:
    registration: what was fixed.
    cohort: digest of the cohort; empty if unknown.
  """
  if not registration.cohort or cohort:
    return []
  return [
    f'Registered cohort digest {registration.cohort} was not checked: it is a '
    'hash of images, records and labels, which a file of predictions does not '
    'hold.'
  ]


def _shown(value: Any) -> str:
  return f"'{value}'" if isinstance(value, str) else f'{value:g}'


def _parsed(path: pathlib.Path, content: bytes) -> dict[str, Any]:
  kinds = {'.json': documents.JSON, '.toml': documents.TOML}
  if path.suffix.lower() not in kinds:
    raise errors.UserError(
      f"'{path}': a registration is a .json or .toml file, not '{path.suffix}'."
    )
  data = documents.parse(content, kinds[path.suffix.lower()], where=str(path))
  if not isinstance(data, dict):
    raise errors.UserError(f"'{path}': expected keys and values.")
  return data
