"""Files of volumes, one a study."""

import dataclasses
import math

from fusion_jax.core import errors
from fusion_jax.data import sections, volume_files
from fusion_jax.data.kinds import volume


def _window(name, given, where) -> tuple[float, float]:
  numbers = given if isinstance(given, list) and len(given) == 2 else []
  numbers = [float(x) for x in numbers if type(x) in (int, float)]
  finite = all(map(math.isfinite, numbers))
  if len(numbers) < 2 or not finite or not numbers[0] < numbers[1]:
    raise sections.fail(
      name, where, 'two numbers in order, such as [-1000, 400]', given
    )
  return numbers[0], numbers[1]


@sections.SECTIONS.register(volume.NAME, summary='files of volumes')
@dataclasses.dataclass(frozen=True)
class Section(sections.Section):
  """Files of volumes.

  Attributes:
    path: see `sections.Section`.
    missing: likewise.
    size: side in voxels; 0 for the reader to choose.
    orientation: whether flips and rotations leave the meaning ('free').
    window: the values that stand for 0 and 1.
    classes: number of labels where its values are labels; 0 if not.
  """

  path: tuple[str, ...] = sections.key(sections.texts, needed=True)
  missing: str = sections.key(sections.choice(*sections.MISSING), 'error')
  size: int = sections.key(sections.SIZE, 0)
  orientation: str = sections.key(
    sections.choice(*sections.ORIENTATIONS), 'fixed'
  )
  window: tuple[float, ...] = sections.key(_window)
  classes: int = sections.key(sections.whole(2, 64), 0)

  def read(self, records, *, image_size=0, cache_dir='', on_progress=None):
    del image_size, on_progress
    paths = records.paths[self.name]
    for study, names in enumerate(paths):
      if len(names) > 1:
        raise errors.UserError(
          f"Modality '{self.name}': study '{records.study[study]}' has "
          f"{len(names)} volumes ('{names[0]}', '{names[1]}'); expected one."
        )
    if not any(paths):
      return None, []
    decoded = volume_files.load(
      records.root,
      [names[0] if names else '' for names in paths],
      size=self.size,
      classes=self.classes,
      cache_dir=cache_dir,
      places=[x[0] if x else '' for x in sections.places(self, records)],
    )
    data = volume.Data(
      decoded.volumes,
      decoded.mask,
      window=self.window,
      spacing=decoded.spacing,
      orientation_free=self.orientation == 'free',
      files_digest=decoded.digest,
    )
    return data, []
