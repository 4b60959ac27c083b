"""Tests of which folds are used, and of what is said about it."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import config, schemes
from tests import tiny


class SchemesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.cohort = tiny.cohort()
    self.supplied = dataclasses.replace(
      self.cohort, fold=np.arange(len(self.cohort)) % 5
    )

  @parameterized.parameters((0, 'column'), (5, 'column'), (3, 'kfold'))
  def test_supplied_folds_are_used_if_their_number_fits(self, folds, scheme):
    settings = config.SplitConfig(folds=folds)
    self.assertEqual(schemes.chosen(self.supplied, settings), scheme)
    self.assertEqual(schemes.chosen(self.cohort, settings), 'kfold')

  def test_folds_that_are_not_used_are_said(self):
    text = schemes.described(self.supplied, config.SplitConfig(folds=3))
    self.assertIn('at random by patient', text)
    self.assertIn('the 5 folds', text)
    self.assertIn('were not used', text)
    text = schemes.described(self.supplied, config.SplitConfig())
    self.assertEqual(text, "those of the cohort's fold column")
    text = schemes.described(self.cohort, config.SplitConfig())
    self.assertNotIn('not used', text)

  @parameterized.parameters('site', 'time', 'file', 'column', 'kfold')
  def test_every_scheme_has_words(self, scheme):
    settings = config.SplitConfig(scheme=scheme)
    self.assertNotEmpty(schemes.described(self.cohort, settings))


if __name__ == '__main__':
  absltest.main()
