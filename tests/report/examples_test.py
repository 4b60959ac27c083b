"""Tests of the section with examples."""

from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.report import examples, html, page, tables
from tests.report import samples
from tests.report.figures import examples_test as figure_test

COLUMNS = [
  {'column': 'age', 'estimate': 0.05, 'low': 0.01, 'high': 0.09, 'sd': 0.002},
  {'column': 'sex', 'estimate': 0.0, 'low': 0.0, 'high': 0.0, 'sd': 0.0},
]
RECORD = [
  {
    'column': 'age',
    'value': 71.0,
    'mean': 60.0,
    'sd': 10.0,
    'z': 1.1,
    'missing': 0.1,
  },
  {'column': 'sex', 'value': 'female', 'share': 0.4, 'missing': 0.0},
  {'column': 'side', 'value': None, 'share': None, 'missing': 0.25},
]


def example(number, **changes):
  return {
    'number': number,
    'truth': 'outcome = 1',
    'scores': {'joint': 0.9, 'ehr': 0.2},
    'thresholds': {'joint': 0.4, 'ehr': None},
    'models': 2,
    'record': RECORD,
    'image': figure_test.png(),
    'images': 1,
    'height': 6,
    'width': 8,
    'map': {
      'values': [[0.5, -1.0]],
      'cell': 4,
      'patch': 8,
      'highest': {'value': 0.5, 'place': 'upper left'},
      'lowest': {'value': -1.0, 'place': 'lower right'},
    },
    **changes,
  }


def sample(kind=types.BINARY, **changes):
  return {
    'asked': 1,
    'arm': 'joint',
    'single': 'ehr',
    'task': {'kind': kind, 'names': ['outcome'], 'metric': 'auroc'},
    'importance': {
      'arm': 'joint',
      'metric': 'auroc',
      'columns': COLUMNS,
      'note': 'Mean of 5 orders.',
    },
    'groups': [
      {'kind': 'repaired', 'label': None, 'total': 12, 'numbers': [1]},
      {'kind': 'broken', 'label': None, 'total': 1, 'numbers': [2]},
    ],
    'examples': [
      example(1, images=2),
      example(2, image=None, map=None, images=0),
    ],
    'reasons': [],
    **changes,
  }


class SectionTest(parameterized.TestCase):
  def test_nothing_asked_for_is_nothing_shown(self):
    self.assertFalse(examples.section(None))
    self.assertNotIn('id="examples"', html.render(samples.sample()))

  def test_pictures_say_what_they_show(self):
    found = examples.section(sample())
    picture, forest = filter(None, found.figures)
    self.assertEqual(picture.name, 'example_1')
    self.assertEqual(picture.title, '1. Repaired by fusion')
    for text in (
      'Truth: outcome = 1. joint .900 (positive from .400), ehr .200.',
      'First of 2 images.',
      'age 71 (1.1 SD above the training mean 60)',
      'sex female (40% of training studies)',
      'side missing (as in 25% of training studies)',
    ):
      self.assertIn(text, picture.caption)
    self.assertIn(
      'the logit is raised most, by .500, by its upper left and lowered most, '
      'by 1.000, by its lower right.',
      picture.details,
    )
    self.assertEqual(forest.name, 'importance')

  def test_the_lead_counts_and_warns(self):
    lead = ' '.join(examples.section(sample()).lead)
    for text in (
      'single patients',
      'Repaired by fusion: 12 studies, 1 shown.',
      'Broken by fusion: 1 study, 1 shown.',
      "Youden's J",
      'extremes, not typical',
      'Zeiler and Fergus 2014',
      'Breiman 2001',
      'Hooker, Mentch and Zhou 2021',
    ):
      self.assertIn(text, lead)

  def test_regression_and_classes_have_their_own_words(self):
    lead = ' '.join(examples.section(sample(types.REGRESSION)).lead)
    self.assertIn('Closer with fusion: 12 studies', lead)
    self.assertNotIn('threshold', lead)
    found = examples.section(sample(types.MULTICLASS))
    self.assertIn('the class that is most probable', ' '.join(found.lead))
    self.assertIn('logit of the true class', found.figures[0].details)

  def test_a_label_is_named(self):
    groups = [{'kind': 'broken', 'label': 'x', 'total': 3, 'numbers': [1]}]
    found = examples.section(sample(groups=groups))
    self.assertIn('Broken by fusion, x: 3 studies', ' '.join(found.lead))

  def test_reasons_stand_in_the_lead(self):
    importance = {
      'arm': 'image',
      'metric': 'auroc',
      'columns': [],
      'reason': "'image' does not see the record.",
    }
    found = examples.section(
      sample(
        importance=importance, groups=[], examples=[], reasons=['No examples.']
      )
    )
    self.assertEqual(
      found.lead, ['No examples.', "'image' does not see the record."]
    )
    self.assertEmpty([x for x in found.tables if x])
    self.assertEmpty([x for x in found.figures if x])

  def test_a_map_that_nothing_moves(self):
    nothing = {'value': 0.0, 'place': 'upper left'}
    flat = {'values': [[0.0]], 'cell': 8, 'patch': 16}
    flat.update(highest=nothing, lowest=nothing)
    found = examples.section(
      sample(examples=[example(1, map=flat), example(2)])
    )
    self.assertIn('not changed by any part of it', found.figures[0].details)

  def test_tables(self):
    studies, records, columns = examples.section(sample()).tables
    self.assertEqual(
      tables.to_csv(studies).splitlines()[:2],
      [
        'group,number,truth,joint,ehr,joint positive from,models,reason',
        'Repaired by fusion,1,outcome = 1,0.9,0.2,0.4,2,',
      ],
    )
    self.assertLen([*records.rows()], 6)
    self.assertIn('age,0.05,0.01,0.09,0.002', tables.to_csv(columns))
    self.assertTrue(columns.printed)
    for private in (studies, records):
      self.assertFalse(private.printed)
      self.assertStartsWith(private.name, examples.PRIVATE)

  @parameterized.parameters(
    ({'value': 3.0, 'mean': None, 'sd': None, 'z': None}, 'never known'),
    ({'value': 3.0, 'mean': 3.0, 'sd': 0.0, 'z': None}, 'training mean 3.000'),
    ({'value': 'x', 'share': None}, 'never known'),
  )
  def test_values_beside_little(self, entry, text):
    found = sample()
    found['examples'][0]['record'] = [
      {'column': 'age', 'missing': 0.5, **entry}
    ]
    picture, *_ = examples.section(found).figures
    self.assertIn(f'({text}', picture.caption)

  def test_the_page_shows_it(self):
    built = page.build(samples.sample(), None, sample())
    text = html.render_page(built)
    self.assertIn('<details id="examples">', text)
    self.assertIn('data:image/png;base64', text)
    self.assertIn('aria-labelledby="example_1-title example_1-desc"', text)


if __name__ == '__main__':
  absltest.main()
