"""A folder of files of several modalities, for tests of their readers."""

import pathlib
import textwrap

import numpy as np
from absl.testing import absltest
from PIL import Image

from fusion_jax.data import config, reader

N = 12
HEAD = """
  version = 2
  task = "binary"
  table = "table.csv"
  study = "study"
  patient = "patient"
  label = "label"
"""


class TestCase(absltest.TestCase):
  """Has a table, images of two folders and vectors."""

  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    self.cache = self.create_tempdir().full_path
    rng = np.random.default_rng(0)
    rows = ['study,patient,label,crp,sex,fever']
    for i in range(N):
      rows.append(
        f's{i},p{i // 2},{i % 2},{rng.integers(1, 99)},{"fm"[i % 2]},'
        f'{["yes", "no", ""][i % 3]}'
      )
    (self.root / 'table.csv').write_text('\n'.join(rows) + '\n')
    for folder in ('f', 'l'):
      (self.root / folder).mkdir()
      for i in range(N):
        if folder == 'f' or i % 3:
          pixels = rng.integers(0, 255, (8, 8)).astype(np.uint8)
          Image.fromarray(pixels).save(self.root / folder / f's{i}.png')
    self.vectors = rng.normal(size=(N - 1, 3))
    np.savez(
      self.root / 'notes.npz',
      study=np.array([f's{i}' for i in range(1, N)]),
      vector=self.vectors,
    )

  def open(self, text, **changes):
    path = self.root / 'cohort.toml'
    path.write_text(textwrap.dedent(HEAD) + textwrap.dedent(text))
    return reader.open_cohort(
      config.CohortConfig(name=str(path), cache_dir=self.cache, **changes)
    )
