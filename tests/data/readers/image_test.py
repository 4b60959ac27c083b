"""Tests of how files of the kind 'image' are read."""

import numpy as np
from absl.testing import absltest
from PIL import Image

from fusion_jax.core import errors
from tests.data.readers import folder


class ReaderTest(folder.TestCase):
  def test_views_keep_their_places(self):
    cohort = self.open("""
      [modalities.cxr]
      kind = "image"
      views = {lateral = "l/{study}.png", frontal = "f/{study}.png"}
      missing = "absent"
    """)
    data = cohort.modalities['cxr'].data
    self.assertEqual(data.views, ('lateral', 'frontal'))
    self.assertEqual(
      data.mask[:4].tolist(), [[i % 3 > 0, True] for i in range(4)]
    )
    for study in (0, 1):
      with Image.open(self.root / f'f/s{study}.png') as f:
        np.testing.assert_array_equal(data.images[study, 1, :, :, 0], f)
    self.assertFalse(data.images[0, 0].any())

  def test_an_image_that_must_be_there(self):
    with self.assertRaisesRegex(errors.ProblemsError, "no such image 'l/s0"):
      self.open('[modalities.x]\nkind = "image"\npath = "l/{study}.png"\n')

  def test_the_side_is_part_of_the_content(self):
    text = '[modalities.x]\nkind = "image"\npath = "f/{study}.png"\n'
    a, b = self.open(text), self.open(text + 'side = "record"\n')
    self.assertEqual(b.modalities['x'].side, 'record')
    self.assertNotEqual(a.digest, b.digest)


if __name__ == '__main__':
  absltest.main()
