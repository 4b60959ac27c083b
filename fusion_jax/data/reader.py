"""Opens a cohort: a built-in world, a descriptor that is shipped or a file."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

from fusion_jax.core import commands, errors, files, types
from fusion_jax.data import (
  checks,
  five,
  synthetic,
  tables,
  tfds_files,
  withhold,
)
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as config_lib
from fusion_jax.data import descriptor as descriptor_lib
from fusion_jax.data import images as images_lib
from fusion_jax.data import modality as modality_lib

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
  if config.name in synthetic.NAMES:
    cohort = _world(config)
  elif config.name.startswith(tfds_files.PREFIX):
    cohort = _tfds(config)
  else:
    examination = _examine(config, None)
    checks.raise_errors(examination)
    cohort = _assemble(examination)
  for modality, share, mechanism in taken:
    cohort = withhold.withhold(cohort, modality, share, mechanism=mechanism)
  return cohort.only(config.modalities) if config.modalities else cohort


def describe(
  config: config_lib.CohortConfig,
) -> tuple[tuple[str, str, str], ...]:
  """Names, kinds and sides of a cohort's modalities; no data are read.

  Raises:
    UserError: for a name that is no world, folder, data set or descriptor.
  """
  config_lib.check(config)
  if config.name == five.NAME:
    found = [(m, *x) for m, x in five.KINDS.items()]
  elif config.name in synthetic.NAMES:
    found = list(synthetic.MODALITIES)
  elif config.name.startswith(tfds_files.PREFIX):
    found = tfds_files.describe(config.name.removeprefix(tfds_files.PREFIX))
  else:
    descriptor = descriptor_lib.load(locate(config.name, config.data_root)[0])
    found = [(x.name, x.kind, x.side) for x in descriptor.sections.values()]
  wanted = config.modalities or [name for name, _, _ in found]
  return tuple(x for x in found if x[0] in wanted)


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
  if config.name in synthetic.NAMES:
    return Opened(_world(config))
  if config.name.startswith(tfds_files.PREFIX):
    return Opened(_tfds(config))
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
      name, [*synthetic.NAMES, *descriptors, *_siblings(path)]
    )
    hint = f" Did you mean '{guess}'?" if guess else ''
    where = '' if path.is_absolute() else f' in {os.getcwd()}'
    raise errors.UserError(
      f"No cohort '{name}': neither a built-in world "
      f'({", ".join(synthetic.NAMES)}) nor a shipped descriptor '
      f'({", ".join(descriptors)}) nor a folder with {DESCRIPTOR} nor a .toml '
      f'file{where}.{hint}'
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
  if config.name == five.NAME:
    return _five(config)
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


def _tfds(config: config_lib.CohortConfig) -> cohort_lib.Cohort:
  for key in (*_WORLD_KEYS, 'data_root', 'image_size'):
    if getattr(config, key):
      raise errors.UserError(
        f'cohort.{key} = {getattr(config, key)} means nothing for a data set '
        f"that is read as it was written ('{config.name}')."
      )
  return tfds_files.load(config.name.removeprefix(tfds_files.PREFIX))


def _five(config: config_lib.CohortConfig) -> cohort_lib.Cohort:
  for key in ('informative_missing', 'absent_images', 'absent_ehr'):
    if getattr(config, key):
      raise errors.UserError(
        f'cohort.{key} = {getattr(config, key)} means nothing for the world '
        f"'{five.NAME}': take a modality from some studies with "
        f'cohort.withhold={five.IMAGE}:0.2 instead.'
      )
  return synthetic.make_five(
    n=config.n or WORLD_STUDIES,
    size=config.image_size or WORLD_SIZE,
    seed=config.seed,
    task=config.task or types.BINARY,
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
    first = (
      ''
      if config.data_root
      else f"If the data is not in '{root}', the folder of '{path.name}', say "
      'where it is with --data_root=DIR. Else '
    )
    rest = (
      'put the cache elsewhere: --cache_dir=DIR of prepare, '
      '--set=cohort.cache_dir=DIR of other commands.'
    )
    raise errors.UserError(
      f"The cache folder '{cache}' is inside the cohort's folder, which is "
      f'never written to. {first}{rest if first else rest.capitalize()}'
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
  r = examination.records
  d = r.descriptor
  modalities = {
    name: modality_lib.Modality.of(section.kind, section.side, data)
    for name, section in d.sections.items()
    if (data := examination.data.get(name)) is not None
  }
  return cohort_lib.Cohort(
    name=d.name,
    task=r.task,
    study=r.study,
    patient=r.patient,
    labels=r.labels,
    modalities=modalities,
    time_unit=d.time_unit,
    patient_note=d.patient_reason,
    fold=r.fold,
    site=r.site,
    index_time=r.index_time,
    groups=r.groups,
    weight=r.weight,
    notes=d.notes + r.notes,
    warnings=r.warnings,
    steps=r.steps,
    licence=d.licence,
    citation=d.citation,
  )
