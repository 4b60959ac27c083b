"""Opens a cohort: a built-in world, a descriptor that is shipped or a file."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import numpy as np

from fusion_jax.core import commands, errors, files
from fusion_jax.data import checks, file_facts, synthetic, tables, withhold
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as config_lib
from fusion_jax.data import descriptor as descriptor_lib
from fusion_jax.data import images as images_lib

DESCRIPTOR = 'cohort.toml'
# Of public data sets, whose files everyone has to get for themselves.
_SHIPPED = pathlib.Path(__file__).with_name('descriptors')
WORLD_STUDIES = 1500
WORLD_SIZE = 32
_WORLD_KEYS = (
  'n',
  'task',
  'informative_missing',
  'absent_images',
  'absent_ehr',
)


@dataclasses.dataclass(frozen=True, eq=False)
class Opened:
  """A cohort, or None where errors prevent it, and what was found."""

  cohort: cohort_lib.Cohort | None
  problems: tuple[tables.Problem, ...] = ()


def open_cohort(config: config_lib.CohortConfig) -> cohort_lib.Cohort:
  """The cohort that `config` names, images decoded into the cache.

  Raises:
    UserError: for a name that is no world, folder or descriptor, or a modality
      to withhold that the cohort lacks.
    ProblemsError: listing everything that is wrong with its files.
  """
  config_lib.check(config)
  taken = [withhold.parse(text) for text in config.withhold]
  if config.name in synthetic.WORLDS:
    cohort = _world(config)
  else:
    examination = _examine(config, None)
    checks.raise_errors(examination)
    cohort = _assemble(examination)
  for modality, share in taken:
    cohort = withhold.withhold(cohort, modality, share)
  return cohort


def inspect(
  config: config_lib.CohortConfig,
  *,
  on_progress: Callable[[int, int], None] | None = None,
) -> Opened:
  """Like `open_cohort`, but returns errors and warnings instead of raising.

  Raises:
    UserError: where there is nothing to inspect.
  """
  config_lib.check(config)
  if config.name in synthetic.WORLDS:
    return Opened(_world(config))
  examination = _examine(config, on_progress)
  cohort = None if examination.failed else _assemble(examination)
  return Opened(cohort, tuple(examination.problems))


def shipped() -> dict[str, pathlib.Path]:
  """The descriptors of the library, by name."""
  return {x.stem: x for x in sorted(_SHIPPED.glob('*.toml'))}


def locate(name: str, data_root: str = '') -> tuple[pathlib.Path, pathlib.Path]:
  """The descriptor file and the data folder that `name` stands for.

  Raises:
    UserError: saying what was looked for.
  """
  descriptors = shipped()
  path = descriptors.get(name) or pathlib.Path(os.path.expanduser(name))
  if name in descriptors:
    if not data_root:
      raise errors.UserError(
        f"Cohort '{name}' is a descriptor without data: say with "
        f"--data_root=DIR where the files are that '{path}' speaks of."
      )
  elif path.is_dir():
    path = path / DESCRIPTOR
    if not files.regular(path).is_file():
      raise errors.UserError(
        f"Folder '{name}' holds no {DESCRIPTOR}. Write a first one with: "
        + commands.line('prepare', f'--draft={name}')
      )
  elif not files.regular(path).is_file():
    guess = errors.nearest(
      name, [*synthetic.WORLDS, *descriptors, *_siblings(path)]
    )
    hint = f" Did you mean '{guess}'?" if guess else ''
    raise errors.UserError(
      f"No cohort '{name}': neither a built-in world "
      f'({", ".join(synthetic.WORLDS)}) nor a shipped descriptor '
      f'({", ".join(descriptors)}) nor a folder with {DESCRIPTOR} nor a .toml '
      f'file in {os.getcwd()}.{hint}'
    )
  elif path.suffix != '.toml':
    raise errors.UserError(
      f"Cohort '{name}' is a file, but not a .toml descriptor."
    )
  root = path.parent
  if data_root:
    root = pathlib.Path(os.path.expanduser(data_root))
  if not root.is_dir():
    raise errors.UserError(f"No data folder '{root}' (data_root).")
  return path, root


def _siblings(path: pathlib.Path) -> list[str]:
  if not path.parent.is_dir():
    return []
  return [
    str(x) for x in path.parent.iterdir() if x.is_dir() or x.suffix == '.toml'
  ]


def _world(config: config_lib.CohortConfig) -> cohort_lib.Cohort:
  if config.data_root:
    raise errors.UserError(
      f"data_root = '{config.data_root}' means nothing for the built-in world "
      f"'{config.name}'."
    )
  options = {'task': config.task} if config.task else {}
  return synthetic.make(
    config.name,
    n=config.n or WORLD_STUDIES,
    size=config.image_size or WORLD_SIZE,
    seed=config.seed,
    informative_missing=config.informative_missing,
    absent_images=config.absent_images,
    absent_ehr=config.absent_ehr,
    **options,
  )


def _examine(config, on_progress) -> checks.Examination:
  path, root = locate(config.name, config.data_root)
  for key in _WORLD_KEYS:
    if getattr(config, key):
      raise errors.UserError(
        f'cohort.{key} = {getattr(config, key)} is only for built-in worlds, '
        f"not for '{config.name}'."
      )
  cache = images_lib.cache_folder(config.cache_dir).resolve()
  if cache.is_relative_to(root.resolve()):
    raise errors.UserError(
      f"The cache folder '{cache}' is inside the cohort's folder, which is "
      'never written to: set cohort.cache_dir to another place.'
    )
  descriptor = descriptor_lib.load(path)
  table = files.regular(root / descriptor.table)
  if not table.is_file() and not config.data_root:
    raise errors.UserError(
      f"No table '{descriptor.table}' in '{root}', the folder of '{path}'. "
      'Say where the data is with --data_root=DIR.'
    )
  return checks.examine(
    descriptor,
    root,
    image_size=config.image_size,
    cache_dir=config.cache_dir,
    on_progress=on_progress,
  )


def _assemble(examination: checks.Examination) -> cohort_lib.Cohort:
  r, decoded = examination.records, examination.decoded
  d = r.descriptor
  numeric = _stack(r.numeric, len(r), np.float64)
  categorical = _stack(r.categorical, len(r), object)
  digest = cohort_lib.content_digest(
    [
      r.task.kind,
      *r.task.names,
      r.study,
      r.patient,
      bool(d.patient),
      r.labels,
      decoded.digest if decoded else None,
      *r.numeric,
      numeric,
      *r.categorical,
      categorical,
      r.fold,
      r.site,
      *(x for pair in r.groups.items() for x in pair),
      r.weight,
      d.orientation,
      *(() if r.index_time is None else ('index_time', r.index_time)),
    ]
  )
  return cohort_lib.Cohort(
    name=d.name,
    task=r.task,
    digest=digest,
    study=r.study,
    patient=r.patient,
    time_unit=d.time_unit,
    patient_note=d.patient_reason,
    labels=r.labels,
    images=decoded.images if decoded else None,
    image_mask=decoded.mask if decoded else None,
    numeric=numeric,
    numeric_names=tuple(r.numeric),
    categorical=categorical,
    categorical_names=tuple(r.categorical),
    fold=r.fold,
    site=r.site,
    index_time=r.index_time,
    groups=r.groups,
    weight=r.weight,
    orientation_free=d.orientation == 'free',
    unknown_codes=r.unknown_codes,
    image_facts=file_facts.read(r.root, r.paths, decoded) if decoded else {},
    notes=d.notes + r.notes,
    warnings=r.warnings,
    steps=r.steps,
    licence=d.licence,
    citation=d.citation,
  )


def _stack(columns, n: int, dtype) -> np.ndarray:
  """(n, f) array of the columns."""
  out = np.empty((n, len(columns)), dtype)
  for at, values in enumerate(columns.values()):
    out[:, at] = values
  return out
