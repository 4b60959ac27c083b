"""Tests of fusion_jax.data.shortcuts."""

import pathlib

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics

from fusion_jax.data import checks, descriptor, records, shortcuts
from tests.data import folders


class ColumnsTest(parameterized.TestCase):
  @parameterized.parameters(
    'licence',
    'License',
    'image_doi',
    'source',
    'data source',
    'imageSource',
    'source_url',
    'folder',
    'dataset',
    'data_set',
    'file name',
    'filename',
    'path',
    'dir',
  )
  def test_names_of_origins(self, name):
    self.assertTrue(shortcuts.says_origin(name))

  @parameterized.parameters(
    'age',
    'source_of_infection',
    'infection_source',
    'path_grade',
    'pathology',
    'fluid_collection',
    'site',
    'profile',
    '_',
  )
  def test_names_of_findings(self, name):
    self.assertFalse(shortcuts.says_origin(name))


class CheckTest(parameterized.TestCase):
  def _check(self, change, toml=folders.TOML, n=80, prefix='images/'):
    rng = np.random.default_rng(5)
    table = folders.rows(n)
    for row in table:
      row['label'] = str(rng.integers(0, 2))
      row['file'] = f'images/{row["study"]}.png'
      row.update(change(row))
    folder = folders.write(
      self.create_tempdir().full_path, table=table, toml=toml, images=False
    )
    for row in table:
      path = pathlib.Path(folder / (row['file'] or 'none'))
      path.parent.mkdir(parents=True, exist_ok=True)
      path.touch()
    r = records.read(descriptor.load(folder / 'cohort.toml'), folder)
    checks.check(r)
    found = r.findings.finished()
    self.assertFalse(any(x.is_error for x in found), msg=str(found))
    return [str(x) for x in found], r.notes

  _FILES = folders.TOML.replace('images/{study}.png', 'file')

  def test_a_sound_cohort(self):
    self.assertEqual(self._check(lambda row: {}, self._FILES), ([], ()))

  @parameterized.parameters('categorical', 'groups')
  def test_where_a_record_comes_from(self, key):
    rng = np.random.default_rng(1)
    toml = self._FILES.replace('"region"', '"region", "licence"')
    if key == 'groups':
      toml = self._FILES + 'groups = ["licence"]'
    (line,), notes = self._check(
      lambda row: {'licence': str(rng.choice(['CC0', 'CC BY']))}, toml
    )
    self.assertIn("column 'licence': by its name it says where", line)
    self.assertIn('as a ' + key[:5].replace('categ', 'feature'), line)
    self.assertLen(notes, 1)

  def test_a_column_that_is_the_folder(self):
    toml = self._FILES.replace('"region"', '"region", "origin"')
    rng = np.random.default_rng(1)

    def change(row):
      place = rng.choice(['a', 'b', 'c'])
      file = f'{place}/{row["study"]}.png'
      return {'file': file, 'origin': {'a': 'x', 'b': 'y', 'c': 'z'}[place]}

    (line,), _ = self._check(change, toml)
    self.assertIn("column 'origin': its values are those of the folders", line)

  def test_a_group_that_is_the_label(self):
    toml = self._FILES + 'groups = ["arm"]'
    (line,), _ = self._check(
      lambda row: {'arm': 'case' if row['label'] == '1' else 'control'}, toml
    )
    self.assertIn('this group looks like the label in disguise', line)

  def test_images_of_the_ill_only(self):
    (line,), notes = self._check(
      lambda row: {'file': row['file'] if row['label'] == '1' else ''},
      self._FILES,
    )
    self.assertIn(
      "whether a study has an image predicts the label 'label': AUROC 1.000",
      line,
    )
    self.assertIn('(100% of the studies with it have one, 0% of', line)
    self.assertLen(notes, 1)

  def test_images_that_are_absent_at_random(self):
    rng = np.random.default_rng(2)
    found, _ = self._check(
      lambda row: {'file': row['file'] if rng.random() < 0.7 else ''},
      self._FILES,
    )
    self.assertEqual(found, [])

  @parameterized.parameters(
    ('img/Malignant/{study}.png', 'img/x/{study}.png', 'malignant'),
    ('{study}_malignant.png', '{study}.png', 'malignant'),
    ('{study}Malignant-2.png', '{study}Benign-2.png', 'malignant'),
    ('ill/{study}.png', 'well/{study}.png', 'ill'),
  )
  def test_paths_that_spell_the_label(self, ill, well, word):
    toml = self._FILES.replace('label = "label"', 'label = "malignant"')
    (line,), notes = self._check(
      lambda row: {
        'malignant': row['label'],
        'file': (ill if row['label'] == '1' else well).format(**row),
      },
      toml,
    )
    self.assertIn("give the label 'malignant' away: '", line)
    if word == 'malignant':
      self.assertIn("'malignant' is in 100%", line)
    self.assertIn('(AUROC 1.000)', line)
    self.assertLen(notes, 1)

  def test_some_paths_that_spell_a_class(self):
    toml = self._FILES.replace('binary', 'multiclass')
    rng = np.random.default_rng(4)

    def change(row):
      kind = rng.choice(['melanoma', 'nevus'])
      mark = f'{kind}_' if rng.random() < 0.7 else ''
      return {'label': kind, 'file': f'{mark}{row["study"]}.png'}

    found, _ = self._check(change, toml, n=120)
    self.assertLen(found, 2)
    self.assertIn("give class 'melanoma' away: 'melanoma' is in ", found[0])
    self.assertIn('in 0% of the others', found[0])

  def test_numbers_that_happen_to_be_labels(self):
    rng = np.random.default_rng(6)
    found, _ = self._check(
      lambda row: {'file': f'{row["study"]}_{rng.integers(0, 2)}.png'},
      self._FILES,
    )
    self.assertEqual(found, [])


class IndicatorTest(absltest.TestCase):
  def test_equals_the_auroc(self):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300).astype(float)
    x = rng.random(300) < 0.2 + 0.6 * y
    expected = metrics.roc_auc_score(y, x)
    self.assertAlmostEqual(shortcuts.indicator_auroc(x, y), expected)
    self.assertAlmostEqual(shortcuts.indicator_auroc(~x, y), expected)
    y[:5] = np.nan
    self.assertGreater(shortcuts.indicator_auroc(x, y), 0.7)

  def test_chance_and_few_are_nothing(self):
    x = np.arange(300) % 2 == 0
    y = (np.arange(300) % 3 == 0).astype(float)
    self.assertEqual(shortcuts.indicator_auroc(x, y), 0)
    self.assertEqual(shortcuts.indicator_auroc(x[:18], x[:18] * 1.0), 0)


if __name__ == '__main__':
  absltest.main()
