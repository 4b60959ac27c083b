import json
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from experiments.studies.trials import matrix, small
from fusion_jax.core import errors


class DamageTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'file'
    self.path.write_bytes(bytes(range(1, 101)))

  def test_each_changes_the_file_as_it_says(self):
    whole = self.path.read_bytes()
    other = self.path.with_name('other')
    other.write_bytes(b'other')
    found = {}
    for name, damage in matrix.DAMAGES.items():
      self.path.write_bytes(whole)
      damage(self.path, other)
      found[name] = self.path.read_bytes() if self.path.exists() else None
    self.assertEqual(found['truncate'], whole[:50])
    self.assertEqual(found['zero'], whole[:50] + bytes(50))
    self.assertLen(found['flip'], 100)
    differ = [a != b for a, b in zip(found['flip'], whole, strict=True)]
    self.assertEqual(sum(differ), 1)
    self.assertIsNone(found['delete'])
    self.assertEqual(found['other fold'], b'other')


class OutcomeTest(parameterized.TestCase):
  """A run of two files stands in for the real one."""

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'run'
    self.folder.mkdir()
    (self.folder / 'models.json').write_text('{"a": 1}')
    (self.folder / 'report.html').write_text('')

  def outcomes(self, run, results=lambda folder: {}):
    def predict(folder, out):
      del folder
      out.mkdir()

    with mock.patch.multiple(
      small,
      run=run,
      predict=predict,
      results=results,
      arms_of_nodes=lambda folder: {},
    ):
      wanted = matrix.cases(
        self.folder, lambda x: (x.damage, x.action) == ('flip', 'resume')
      )
      found = matrix.run(self.folder, wanted)
    self.assertEqual([x.case.kind for x in found], ['models.json'])
    return found[0].state

  @parameterized.parameters(
    ('', matrix.SAME),
    ("'x/models.json' is damaged; it is made again.", matrix.AGAIN),
  )
  def test_the_same_result(self, said, expected):
    self.assertEqual(self.outcomes(lambda folder: said), expected)

  @parameterized.parameters(
    (errors.UserError("'x/models.json' is damaged."), matrix.REFUSED),
    (errors.UserError("'models.json' is\ndamaged."), matrix.UNNAMED),
    (errors.UserError('Something is damaged.'), matrix.UNNAMED),
    (ValueError('window shape'), matrix.TRACEBACK),
  )
  def test_what_is_raised(self, fault, expected):
    run = mock.Mock(side_effect=fault)
    self.assertEqual(self.outcomes(run), expected)

  def test_another_result_is_a_fault_whatever_is_said(self):
    def results(folder):
      path = folder / 'models.json'
      return json.loads(path.read_text()) if path.exists() else {}

    def run(folder):
      (folder / 'models.json').write_text('{"a": 2}')
      return 'models.json'

    self.assertEqual(self.outcomes(run, results), matrix.DIFFERENT)

  def test_the_folder_is_left_as_it_is(self):
    before = (self.folder / 'models.json').read_bytes()
    self.outcomes(lambda folder: '')
    self.assertEqual((self.folder / 'models.json').read_bytes(), before)
    self.assertEqual(
      sorted(x.name for x in self.folder.parent.iterdir()), ['run']
    )


if __name__ == '__main__':
  absltest.main()
