"""Tests of how much a launcher prints."""

from absl import flags
from absl.testing import absltest, flagsaver, parameterized

from fusion_jax.core import errors
from fusion_jax.launch import loudness
from fusion_jax.report import console


class LoudnessTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    flags.FLAGS.mark_as_parsed()

  @parameterized.parameters(
    ({}, console.NORMAL),
    ({'quiet': True}, console.QUIET),
    ({'verbose': True}, console.VERBOSE),
  )
  def test_flags(self, given, level):
    with flagsaver.flagsaver(**given):
      self.assertEqual(loudness.chosen(), level)

  def test_flags_are_stronger_than_what_a_launcher_would_do(self):
    self.assertEqual(loudness.chosen(console.SHORT), console.SHORT)
    with flagsaver.flagsaver(verbose=True):
      self.assertEqual(loudness.chosen(console.SHORT), console.VERBOSE)

  def test_both_are_a_mistake(self):
    with flagsaver.flagsaver(quiet=True, verbose=True):
      with self.assertRaisesRegex(errors.UserError, 'not both'):
        loudness.chosen()


if __name__ == '__main__':
  absltest.main()
