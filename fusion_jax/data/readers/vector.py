"""Given vectors, in one file of all studies or in one a study."""

import dataclasses

from fusion_jax.data import sections, vector_files
from fusion_jax.data.kinds import vector


@sections.SECTIONS.register(vector.NAME, summary='files of given vectors')
@dataclasses.dataclass(frozen=True)
class Section(sections.Section):
  """One .npz of all studies, or a file of each.

  Attributes:
    path: the name of the one file, or see `sections.Section`.
    missing: see `sections.Section`.
  """

  path: tuple[str, ...] = sections.key(sections.texts, needed=True)
  missing: str = sections.key(sections.choice(*sections.MISSING), 'error')

  @property
  def patterns(self) -> tuple[str, ...]:
    """None for one file of all studies."""
    first = self.path[0]
    if len(self.path) == 1 and first.endswith('.npz') and '{' not in first:
      return ()
    return self.path

  def read(self, records, *, image_size=0, cache_dir='', on_progress=None):
    del image_size, cache_dir, on_progress
    if self.patterns:
      paths = records.paths[self.name]
      if not any(paths):
        return None, []
      values = vector_files.read_each(records.root, paths, records.study)
    else:
      values, notes = vector_files.read_one(
        records.root, self.path[0], records.study, missing=self.missing
      )
      records.notes += notes
    return vector.Data(values), []
