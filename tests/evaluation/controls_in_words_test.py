"""Tests of fusion_jax.evaluation.controls_in_words."""

import math

from absl.testing import absltest, parameterized

from fusion_jax.evaluation import controls_in_words

SIDES = {'image': ('xray', 'ct'), 'ehr': ('labs',)}


def loss(low):
  return {'loss': {'estimate': low + 0.02, 'low': low, 'high': low + 0.04}}


def sentence(conditions, **changes):
  settings = {
    'metric': 'auroc',
    'single': "'labs', the best single modality",
    'empty': False,
    'sides': {},
  }
  return controls_in_words.sentence(
    'joint',
    conditions,
    controls_in_words.judge(conditions),
    **{**settings, **changes},
  )


class ControlsInWordsTest(parameterized.TestCase):
  def test_what_is_undefined_is_not_judged(self):
    found = controls_in_words.judge(
      {'image_permuted': loss(0.1), 'emap': loss(math.nan)}
    )
    self.assertEqual(set(found.values()), {None})
    found = controls_in_words.judge({'image_permuted': loss(-0.1)})
    self.assertIs(found['uses_both'], False)

  @parameterized.parameters(
    (
      {},
      'uses both modalities: exchanging the image among',
      'the record among',
    ),
    (
      {'image': ('scan',), 'ehr': ('notes',)},
      'uses both modalities: exchanging the scan among',
      'exchanging the notes among',
    ),
    (
      SIDES,
      'uses both sides: exchanging the imaging (xray, ct) among',
      'exchanging the labs among',
    ),
  )
  def test_sides_are_called_by_their_modalities(self, sides, *expected):
    both = {'image_permuted': loss(0.1), 'ehr_permuted': loss(0.2)}
    found = sentence(both, sides=sides)
    for text in expected:
      self.assertIn(text, found)
    self.assertIn('was not fully tested.', found)


if __name__ == '__main__':
  absltest.main()
