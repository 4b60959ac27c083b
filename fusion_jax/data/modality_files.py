"""The data of each modality that a descriptor names, read from its files."""

from collections.abc import Callable, Sequence

import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import (
  file_facts,
  sections,
  series_rows,
  tables,
  vector_files,
  volume_files,
)
from fusion_jax.data import images as images_lib
from fusion_jax.data import modality as modality_lib
from fusion_jax.data.kinds import image, table, vector, volume

# What a column of features may have beside it (data/features.py).
_COMPANIONS = (' (code)', ' (bound)')

Progress = Callable[[int, int], None]


def read(
  section: sections.Section,
  records,
  *,
  image_size: int = 0,
  cache_dir: str = '',
  on_progress: Progress | None = None,
) -> tuple[modality_lib.Data | None, list[tables.Problem]]:
  """One modality of the n studies of `records`.

  Args:
    section: what the descriptor says of it.
    records: the columns of the table and the paths of files.
    image_size: side of images; 0 for what the section says.
    cache_dir: where decoded files are kept.
    on_progress: called with the numbers of files done and of all.

  Returns:
    The data, None where no study has any, and what a person should look at.

  Raises:
    ProblemsError: listing every file that cannot be read.
    UserError: if the cache folder is full or not writable.
  """
  if section.kind == table.NAME:
    return _table(section, records), []
  if section.kind == image.NAME:
    return _images(
      section, records, image_size or section.size, cache_dir, on_progress
    )
  if section.kind == vector.NAME:
    return _vectors(section, records), []
  if section.kind == volume.NAME:
    return _volumes(section, records, cache_dir), []
  return _series(section, records)


def _table(section, records) -> table.Data:
  def mine(columns):
    return {
      name: values
      for name, values in columns.items()
      if _base(name) in section.columns
    }

  numeric, categorical = mine(records.numeric), mine(records.categorical)
  return table.Data(
    _stack(numeric, len(records), np.float64),
    tuple(numeric),
    _stack(categorical, len(records), object),
    tuple(categorical),
    mine(records.unknown_codes),
  )


def _base(column: str) -> str:
  """The column of the descriptor that a column of features comes from."""
  for ending in _COMPANIONS:
    column = column.removesuffix(ending)
  return column


def _stack(columns, n: int, dtype) -> np.ndarray:
  """(n, f) array of the columns."""
  out = np.empty((n, len(columns)), dtype)
  for at, values in enumerate(columns.values()):
    out[:, at] = values
  return out


def _images(section, records, size, cache_dir, on_progress):
  paths = records.paths[section.name]
  if not any(paths):
    return None, []
  decoded = images_lib.load(
    records.root,
    paths,
    size=size,
    cache_dir=cache_dir,
    places=_places(section, records),
    on_progress=on_progress,
  )
  images, mask = decoded.images, decoded.mask
  if section.views:
    images, mask = _by_view(section, records, images)
  data = image.Data(
    images,
    mask,
    views=section.views,
    orientation_free=section.orientation == 'free',
    facts=file_facts.read(records.root, paths, decoded),
    files_digest=decoded.digest,
  )
  return data, _repeated(records, paths, decoded.hashes)


def _by_view(section, records, images) -> tuple[np.ndarray, np.ndarray]:
  """(n, v, h, w, c) images and (n, v) mask, each view in its own place."""
  places = records.views[section.name]
  mask = np.zeros((len(places), len(section.views)), bool)
  for study, at in enumerate(places):
    mask[study, at] = True
  if mask.all():
    return images, mask
  out = np.zeros((*mask.shape, *images.shape[2:]), images.dtype)
  for study, at in enumerate(places):
    out[study, at] = images[study, : len(at)]
  return out, mask


def _volumes(section, records, cache_dir) -> volume.Data | None:
  paths = records.paths[section.name]
  for study, names in enumerate(paths):
    if len(names) > 1:
      raise errors.UserError(
        f"Modality '{section.name}': study '{records.study[study]}' has "
        f"{len(names)} volumes ('{names[0]}', '{names[1]}'); expected one."
      )
  if not any(paths):
    return None
  decoded = volume_files.load(
    records.root,
    [names[0] if names else '' for names in paths],
    size=section.size,
    classes=section.classes,
    cache_dir=cache_dir,
    places=[x[0] if x else '' for x in _places(section, records)],
  )
  return volume.Data(
    decoded.volumes,
    decoded.mask,
    window=section.window,
    spacing=decoded.spacing,
    orientation_free=section.orientation == 'free',
    files_digest=decoded.digest,
  )


def _series(section, records):
  d, findings = records.descriptor, tables.Findings(section.table)
  data, notes = series_rows.read(
    series_rows.SeriesColumns(
      table=section.table,
      study=section.study or d.study,
      time=section.time,
      code=section.code,
      value=section.value,
      time_unit=section.time_unit,
      index=section.index,
      window=section.hours,
      after_index=section.after_index,
      length=section.length,
      unknown=section.unknown,
      plausible=section.plausible,
      codes=section.codes,
      encoding=d.encoding,
    ),
    records.root,
    records.study,
    records.index_time,
    findings,
    index_is_date=records.index_is_date,
  )
  records.notes += tuple(f"Series '{section.name}': {x}." for x in notes)
  return data if data.present.any() else None, findings.finished()


def _vectors(section, records) -> vector.Data | None:
  if section.by_study:
    paths = records.paths[section.name]
    if not any(paths):
      return None
    values = vector_files.read_each(records.root, paths, records.study)
  else:
    values, notes = vector_files.read_one(
      records.root,
      section.path[0],
      records.study,
      missing=section.missing,
    )
    records.notes += notes
  return vector.Data(values)


def _places(section, records) -> list[list[str]]:
  """Per study, where each path was named."""
  source = records.table
  return [
    [f'{source.file} {source.unit} {line}' for line in lines]
    for lines in records.path_lines[section.name]
  ]


def _repeated(
  records, paths, hashes: Sequence[Sequence[str]]
) -> list[tables.Problem]:
  """Files of equal content that belong to different patients."""
  owner, found = {}, []
  for study, (names, digests) in enumerate(zip(paths, hashes, strict=True)):
    for name, digest in zip(names, digests, strict=True):
      other, before = owner.setdefault(digest, (study, name))
      if records.patient[other] != records.patient[study]:
        found.append((name, before, study, other))
  findings = tables.Findings('')
  for name, before, study, other in found:
    findings.warn(
      f"image '{name}' of study '{records.study[study]}' is identical to "
      f"'{before}' of study '{records.study[other]}', another patient's.",
      kind='identical images',
    )
  return findings.finished()
