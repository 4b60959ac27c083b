"""Tests of what a report says was trained."""

from absl.testing import absltest

from fusion_jax.report import cards, html, made_of
from tests.report import samples


def network(**changes):
  """What a summary says of a network on both modalities."""
  return {
    'summary': 'both encoders',
    'strategy': 'joint',
    'type': 'I',
    'learner': 'neural',
    'inputs': [
      {
        'modality': 'image',
        'kind': 'image',
        'encoder': 'resnet',
        'view': 'images',
        'image_size': [16, 24, 3],
      },
      {
        'modality': 'ehr',
        'kind': 'table',
        'encoder': 'mlp',
        'view': 'numbers and codes',
        'image_size': None,
      },
    ],
    'combiner': 'concat',
    'rule': None,
    'stands_on': [],
    'upstream': {},
    'models': 2,
    'trials': {'tried': 2, 'chosen': {'0': 1, '1': 1}},
    'hyperparameters': {
      'weight_decay': [0.05, 0.05],
      'learning_rate': [0.001, 0.002],
    },
    'chosen': {},
    'epochs': {'planned': 9, 'run': [3, 5], 'kept': [2, 4]},
    'settings': {'optimizer': 'AdamW', 'batch_size': 32, 'patience': 8},
    'differs': {'training.epochs': 9, 'training.augment': False},
    **changes,
  }


def elastic_net(**changes):
  return network(
    learner='elastic_net',
    inputs=[
      {
        'modality': 'image',
        'kind': 'image',
        'encoder': None,
        'view': 'features',
        'image_size': [16, 24, 3],
        'of': 'extractor',
      }
    ],
    combiner=None,
    stands_on=['extractor'],
    upstream={'extractor': network(combiner='additive')},
    trials={'tried': 1, 'chosen': {'0': 2}},
    hyperparameters={'l1_ratio': [0.5, 0.5]},
    chosen={'penalty': [0.1, 0.3]},
    epochs=None,
    settings={},
    differs={},
    **changes,
  )


def rule():
  return network(
    learner='rule',
    inputs=[
      {
        'modality': m,
        'encoder': None,
        'view': 'predictions',
        'image_size': None,
        'of': m,
      }
      for m in ('image', 'ehr')
    ],
    combiner=None,
    rule='mean',
    stands_on=['image', 'ehr'],
    hyperparameters={},
    epochs=None,
    settings={},
    differs={},
  )


class MadeOfTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.summary = samples.sample()
    arms = self.summary['arms']
    arms['joint']['made_of'] = network()
    arms['image']['made_of'] = elastic_net()
    arms['late_mean']['made_of'] = rule()

  def _texts(self, summary):
    return {
      row[0].text: [cell.text for cell in row[1:]]
      for row in made_of.table(summary).rows()
    }

  def test_a_row_for_each_arm_and_what_is_below(self):
    rows = self._texts(self.summary)
    self.assertEqual(list(rows), ['extractor', 'image', 'joint', 'late_mean'])
    self.assertEqual(
      rows['joint'],
      [
        'network',
        'resnet of image (images, 16 x 24, 3 channels), mlp of record '
        '(numbers and codes)',
        'concat',
        '3 to 5 of 9',
        'learning rate 0.001 to 0.002, weight decay 0.05, AdamW, batch size '
        '32, patience 8',
        '2 tried; chosen: 0 (1x), 1 (1x)',
        '',
        'training.epochs = 9, training.augment = false',
      ],
    )
    self.assertEqual(
      rows['image'],
      [
        'elastic net',
        'image (frozen features of extractor)',
        '',
        '',
        'share of the absolute penalty 0.5, penalty chosen 0.1 to 0.3',
        '',
        'extractor',
        '',
      ],
    )
    self.assertEqual(rows['late_mean'][2], 'mean')

  def test_methods_are_told_learner_by_learner(self):
    text = made_of.methods(self.summary)
    for words in (
      'joint (resnet on images and mlp on the record, by concat)',
      'Elastic nets: image (frozen features of extractor).',
      'the penalty chosen on the validation part',
      'Late rules: late_mean (mean of image and ehr).',
      'Images had 16 x 24 pixels and 3 channels.',
      'library: training.epochs = 9, training.augment = false.',
    ):
      self.assertIn(words, text)

  def test_all_defaults(self):
    del self.summary['arms']['joint']
    self.summary['arms']['image']['made_of'] = elastic_net() | {'upstream': {}}
    text = made_of.methods(self.summary)
    self.assertIn('All settings were the defaults', text)

  def test_epochs_that_are_not_known(self):
    made = network(epochs={'planned': 9, 'run': None, 'kept': None})
    self.assertEqual(made_of.epochs(made), 'an unknown number of 9')

  def test_a_card_says_it(self):
    text = cards.render(self.summary, 'image')
    self.assertIn('- Learner: elastic net\n', text)
    self.assertIn('- extractor, which it stands on: network on resnet', text)
    self.assertIn('- Not default: nothing\n', text)
    self.assertIn('- Epochs: 3 to 5 of 9', cards.render(self.summary, 'joint'))

  def test_the_page_says_it(self):
    text = html.render(self.summary)
    for words in ('resnet', 'elastic net', 'epochs', 'What was trained'):
      self.assertIn(words, text)

  def test_predictions_of_other_people_have_none_of_it(self):
    summary = samples.sample()
    self.assertFalse(made_of.section(summary))
    self.assertEmpty(made_of.methods(summary))
    self.assertEmpty(made_of.lines(summary['arms']['joint']))
    self.assertNotIn('What was trained', html.render(summary))
    self.assertNotIn('Learner', cards.render(summary, 'joint'))


if __name__ == '__main__':
  absltest.main()
