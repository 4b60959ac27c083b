"""Files of images, one or several a study."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import file_facts, sections, tables
from fusion_jax.data import images as images_lib
from fusion_jax.data.kinds import image


def _views(name, given, where) -> Mapping[str, str]:
  """`views = {frontal = "...", lateral = "..."}`: patterns by name."""
  if not isinstance(given, dict) or not given:
    raise sections.fail(
      name, where, 'patterns by name such as {frontal = "f/{id}.png"}', given
    )
  if not all(isinstance(x, str) and x for x in given.values()):
    raise sections.fail(name, where, 'one pattern for each view', given)
  return dict(given)


@sections.SECTIONS.register(image.NAME, summary='files of images')
@dataclasses.dataclass(frozen=True)
class Section(sections.Section):
  """Files of images, in any order (`path`) or each of a view (`views`).

  Attributes:
    path: see `sections.Section`.
    views: likewise.
    missing: likewise.
    size: side in pixels; 0 for the reader to choose.
    orientation: whether flips and rotations leave the meaning ('free').
  """

  path: tuple[str, ...] = sections.key(sections.texts)
  views: Mapping[str, str] = sections.key(_views, dict)
  missing: str = sections.key(sections.choice(*sections.MISSING), 'error')
  size: int = sections.key(sections.SIZE, 0)
  orientation: str = sections.key(
    sections.choice(*sections.ORIENTATIONS), 'fixed'
  )

  def check(self, where: str) -> None:
    if bool(self.path) == bool(self.views):
      got = 'both' if self.path else 'neither'
      raise errors.UserError(
        f"{where}: kind 'image' needs path or views, got {got}."
      )

  def read(self, records, *, image_size=0, cache_dir='', on_progress=None):
    paths = records.paths[self.name]
    if not any(paths):
      return None, []
    decoded = images_lib.load(
      records.root,
      paths,
      size=image_size or self.size,
      cache_dir=cache_dir,
      places=sections.places(self, records),
      on_progress=on_progress,
    )
    images, mask = decoded.images, decoded.mask
    if self.views:
      images, mask = _by_view(self, records, images)
    data = image.Data(
      images,
      mask,
      views=tuple(self.views),
      orientation_free=self.orientation == 'free',
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
