import pathlib

from absl.testing import absltest

from experiments.studies.trials import matrix, page, soak
from fusion_jax.core import errors

OUTCOMES = [
  matrix.Outcome(matrix.Case('a.json', 'a.json', 'flip', action), state, 'x')
  for action, state in (
    (matrix.RESUME, matrix.AGAIN),
    (matrix.PREDICT, matrix.TRACEBACK),
  )
]
FOLDERS = [
  soak.Folder(0, (soak.Kill('SIGKILL', 'training of ehr', -9),), (), ''),
  soak.Folder(1, (soak.Kill('SIGTERM', 'finished', 0),), ('summary.json',), ''),
]


class PageTest(absltest.TestCase):
  def test_what_is_kept_is_read_again(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    self.assertEqual(page.kept_matrix(folder / page.MATRIX), [])
    page.keep(OUTCOMES, folder / page.MATRIX)
    page.keep(FOLDERS, folder / page.SOAK)
    self.assertEqual(page.kept_matrix(folder / page.MATRIX), OUTCOMES)
    self.assertEqual(page.kept_soak(folder / page.SOAK), FOLDERS)
    (folder / page.SOAK).write_text('[')
    with self.assertRaisesRegex(errors.UserError, 'soak.json. is not JSON'):
      page.kept_soak(folder / page.SOAK)

  def test_faults_are_in_the_text(self):
    text = page.page(OUTCOMES, FOLDERS, command='python -m it')
    self.assertIn('\n    python -m it\n', text)
    self.assertIn('**1 of 2**', text)
    self.assertIn('- folder 1: differs: summary.json', text)
    self.assertIn('2 signals 1 met a process', text)
    self.assertIn('| `a.json` |  |  | made again / TRACEBACK |', text)
    self.assertIn('Of 2 cases 1\n', text)

  def test_a_trial_that_was_not_made_is_left_out(self):
    text = page.page(OUTCOMES[:1], [], command='it')
    self.assertNotIn('Killed', text)
    self.assertIn('cases none', text)
    self.assertNotIn('Damaged', page.page([], FOLDERS, command='it'))


if __name__ == '__main__':
  absltest.main()
