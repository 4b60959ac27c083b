import dataclasses
import hashlib
import json
import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.evaluation import registration

FIXED = {
  'metric': 'auroc',
  'margin': 0.02,
  'arms': ['image', 'ehr', 'joint'],
  'reference': 'best_single',
  'estimand': 'min_single',
}
TOML = """
metric = "auroc"
margin = 1
arms = ["image", "ehr"]
reference = "ehr"
cohort = "abc"
"""


class LoadTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def _file(self, content, name='plan.json'):
    path = self.folder / name
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text)
    return path

  def test_json(self):
    path = self._file(FIXED)
    found = registration.load(path)
    self.assertEqual(found.metric, 'auroc')
    self.assertEqual(found.margin, 0.02)
    self.assertEqual(found.arms, ('image', 'ehr', 'joint'))
    self.assertEqual(found.cohort, '')
    self.assertEqual(found.estimand, 'min_single')
    self.assertEqual(
      found.sha256, hashlib.sha256(path.read_bytes()).hexdigest()
    )

  def test_toml(self):
    found = registration.load(self._file(TOML, 'plan.toml'))
    self.assertEqual(found.margin, 1.0)
    self.assertEqual(found.reference, 'ehr')
    self.assertEqual(found.cohort, 'abc')
    self.assertEqual(found.estimand, '')

  def test_any_byte_changes_the_hash(self):
    hashes = {
      registration.load(self._file(x)).sha256
      for x in (json.dumps(FIXED), json.dumps(FIXED) + '\n')
    }
    self.assertLen(hashes, 2)

  @parameterized.named_parameters(
    ('key', {**FIXED, 'margn': 1}, "'margn'.*Did you mean 'margin'"),
    (
      'missing',
      {'metric': 'auroc', 'margin': 1},
      "missing 'arms', 'reference'",
    ),
    (
      'estimand',
      {**FIXED, 'estimand': 'min_singel'},
      "'min_singel'.*Did you mean 'min_single'",
    ),
    ('margin', {**FIXED, 'margin': -1}, 'margin is -1; expected a positive'),
    ('truth', {**FIXED, 'margin': True}, 'margin is True'),
    ('text', {**FIXED, 'metric': 3}, 'metric is 3; expected text'),
    ('arms', {**FIXED, 'arms': 'image'}, "arms is 'image'; expected a list"),
    ('no arms', {**FIXED, 'arms': []}, 'expected a list'),
    ('list', [1], 'expected keys and values'),
    ('syntax', '{', 'is not legal JSON'),
  )
  def test_bad_content(self, content, message):
    path = self._file(content)
    with self.assertRaisesRegex(errors.UserError, message) as caught:
      registration.load(path)
    self.assertLen(str(caught.exception).splitlines(), 1)
    self.assertIn('plan.json', str(caught.exception))

  def test_bad_files(self):
    for path, message in (
      (self.folder / 'none.json', 'No such registration'),
      (self._file('x', 'plan.yaml'), "not '.yaml'"),
      (self._file('= 1', 'plan.toml'), 'is not legal TOML'),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        registration.load(path)


class DeviationsTest(absltest.TestCase):
  FIXED = registration.Registration(
    sha256='0' * 64,
    metric='auroc',
    margin=0.02,
    arms=('image', 'joint'),
    reference='best_single',
    estimand='min_single',
    cohort='abc',
  )
  RUN = {
    'metric': 'auroc',
    'margin': 0.02,
    'arms': ['joint', 'image'],
    'reference': 'best_single',
    'cohort': 'abc',
  }

  def _of(self, **changes):
    return registration.deviations(self.FIXED, **{**self.RUN, **changes})

  def test_none(self):
    self.assertEmpty(self._of())

  def test_each(self):
    for changes, line in (
      (
        {'metric': 'brier'},
        "Registered metric 'auroc', but 'brier' was used.",
      ),
      ({'margin': 0.05}, 'Registered margin 0.02, but 0.05 was used.'),
      (
        {'reference': 'ehr'},
        "Registered reference 'best_single', but 'ehr' was used.",
      ),
      ({'arms': ['joint']}, "Registered arm 'image' has no predictions."),
      (
        {'arms': ['image', 'joint', 'late']},
        "Arm 'late' was run but is not registered.",
      ),
      (
        {'cohort': 'xyz'},
        'Registered cohort digest abc, but this cohort has digest xyz.',
      ),
    ):
      self.assertEqual(self._of(**changes), [line])

  def test_an_unknown_cohort_is_unchecked_and_no_deviation(self):
    self.assertEmpty(self._of(cohort=''))
    (line,) = registration.unchecked(self.FIXED)
    self.assertStartsWith(line, 'Registered cohort digest abc was not checked')
    self.assertEmpty(registration.unchecked(self.FIXED, cohort='xyz'))
    free = dataclasses.replace(self.FIXED, cohort='')
    self.assertEmpty(registration.unchecked(free))


if __name__ == '__main__':
  absltest.main()
