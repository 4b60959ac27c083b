"""Tests of what numbers are said to mean."""

import copy

from absl.testing import absltest

from fusion_jax.report import notes
from tests.report import parts, samples


class NotesTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.rich = parts.rich(samples.sample(missing=True))

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.rich)

  def test_notes_say_how_intervals_were_made(self):
    self.assertIn('max-t', ' '.join(notes.of(self.summary)))
    self.summary['evaluation'].update(method='delong', reference='ehr')
    found = ' '.join(notes.of(self.summary))
    self.assertIn("by DeLong's method", found)
    self.assertIn("Holm's p", found)
    self.assertIn("'ehr', which was given by name", found)
    self.assertNotIn('redrawn', found)


if __name__ == '__main__':
  absltest.main()
