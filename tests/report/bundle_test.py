import copy
import csv
import os
import pathlib
import re
import stat
from unittest import mock

from absl.testing import absltest

from fusion_jax.core import errors, files
from fusion_jax.report import bundle, html
from tests.report import examples_test, parts, samples


class BundleTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.plain = samples.sample(missing=True)
    cls.rich = parts.rich(cls.plain)
    cls.curves = parts.curves(cls.plain)
    cls.contents = bundle.contents(cls.rich, cls.curves)
    cls.drawn = {}

  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)
    real = bundle.contents

    def remembered(summary, curves=None, shown=None):
      if summary is not self.plain:
        return real(summary, curves, shown)
      # Drawing it takes seconds.
      key = shown is None
      if key not in self.drawn:
        self.drawn[key] = real(summary, curves, shown)
      return dict(self.drawn[key])

    self.enter_context(mock.patch.object(bundle, 'contents', remembered))

  def files(self):
    return {
      str(p.relative_to(self.folder))
      for p in self.folder.rglob('*')
      if p.is_file()
    }

  def test_every_figure_and_table_of_the_page_is_a_file(self):
    for name in (
      'figures/differences.svg',
      'figures/differences.pdf',
      'figures/curve_roc.svg',
      'figures/subgroups.pdf',
      'tables/arms.csv',
      'tables/arms.tex',
      'tables/curve_roc.csv',
      'tables/history.csv',
      'model_cards/joint.md',
      'report.html',
    ):
      self.assertIn(name, self.contents)
    figures = [x for x in self.contents if x.startswith('figures/')]
    page = self.contents['report.html'].decode()
    self.assertEqual(len(figures), 2 * page.count('<figure'))
    self.assertEqual(page, html.render(self.rich, self.curves))

  def test_a_folder_that_leads_elsewhere_is_refused(self):
    for name in (bundle.TABLES, bundle.FIGURES, bundle.CARDS):
      target = pathlib.Path(self.create_tempdir().full_path)
      (self.folder / name).symlink_to(target)
      with self.assertRaisesRegex(errors.UserError, f"{name}' is a link"):
        bundle.write(self.plain, None, self.folder)
      self.assertEmpty(list(target.iterdir()))
      (self.folder / name).unlink()

  def test_no_file_names_a_study_or_patient(self):
    for name, data in self.contents.items():
      found = re.findall(rb'(?:PATIENT|STUDY)_?\d+', data)
      self.assertEmpty(found, name)

  def test_curves_of_every_arm_are_in_the_tables(self):
    text = self.contents['tables/curve_roc.csv'].decode()
    rows = list(csv.reader(text.splitlines()))
    self.assertEqual({x[0] for x in rows[1:]}, set(self.rich['arms']))
    self.assertLen(rows, 1 + 101 * len(self.rich['arms']))

  def test_writes_all_and_lists_it(self):
    path = bundle.write(self.plain, None, self.folder)
    self.assertEqual(path, self.folder / 'report.html')
    listed = (self.folder / bundle.LIST).read_text().split()
    self.assertEqual({*listed, bundle.LIST}, self.files())

  def test_what_shows_patients_is_for_its_owner_and_goes_again(self):
    shown = examples_test.sample()
    bundle.write(self.plain, None, self.folder, shown)
    private = {
      x
      for x in self.files()
      if stat.S_IMODE((self.folder / x).stat().st_mode) == files.PRIVATE
    }
    self.assertEqual(
      private,
      {
        'report.html',
        'figures/example_1.svg',
        'figures/example_1.pdf',
        'tables/examples.csv',
        'tables/example_records.csv',
      },
    )
    self.assertIn('tables/importance.tex', self.files())
    bundle.write(self.plain, None, self.folder)
    left = {x for x in self.files() if 'example' in x or 'importance' in x}
    self.assertEmpty(left)
    page = self.folder / 'report.html'
    self.assertNotIn('base64', page.read_text())
    self.assertNotEqual(stat.S_IMODE(page.stat().st_mode), files.PRIVATE)

  def test_takes_away_only_its_own_older_files(self):
    (self.folder / 'figures').mkdir()
    for name in ('figures/mine.svg', 'figures/old.svg', 'precious.txt'):
      (self.folder / name).write_text('x')
    (self.folder / bundle.LIST).write_text(
      'figures/old.svg\nprecious.txt\nfigures/../precious.txt\n../x\n'
    )
    bundle.write(self.plain, None, self.folder)
    found = self.files()
    self.assertNotIn('figures/old.svg', found)
    self.assertContainsSubset({'figures/mine.svg', 'precious.txt'}, found)

  def test_a_report_that_cannot_be_made_changes_nothing(self):
    (self.folder / 'report.html').write_text('older')
    broken = {**self.plain, 'cohort': None}
    with self.assertRaises(TypeError):
      bundle.write(broken, None, self.folder)
    self.assertEqual(self.files(), {'report.html'})
    self.assertEqual((self.folder / 'report.html').read_text(), 'older')

  def test_a_full_disk_is_one_line(self):
    with mock.patch.object(
      bundle, 'contents', return_value={'figures/a.svg': b'x'}
    ):
      with mock.patch.object(
        os, 'replace', side_effect=OSError(28, 'No space left on device')
      ):
        with self.assertRaisesRegex(errors.UserError, 'No space left'):
          bundle.write(self.plain, None, self.folder)
    self.assertEmpty(self.files())

  def test_what_an_interrupted_report_wrote_is_removed_by_the_next(self):
    wide = {**bundle.contents(self.plain), 'figures/wide.svg': b'x'}
    with mock.patch.object(bundle, 'contents', return_value=wide):
      with mock.patch.object(bundle, 'PAGE', 'no/such/folder.html'):
        wide['no/such/folder.html'] = wide.pop('report.html')
        with self.assertRaises(errors.UserError):
          bundle.write(self.plain, None, self.folder)
    self.assertIn('figures/wide.svg', self.files())
    bundle.write(self.plain, None, self.folder)
    self.assertNotIn('figures/wide.svg', self.files())

  def test_a_folder_that_is_a_file(self):
    (self.folder / 'figures').write_text('x')
    with self.assertRaisesRegex(errors.UserError, 'figures'):
      bundle.write(self.plain, None, self.folder)

  def test_arms_with_strange_names_have_files_of_their_own(self):
    summary = copy.deepcopy(self.plain)
    for arm in ('../joint', 'a/b', 'a b', 'JOINT'):
      summary['arms'][arm] = summary['arms']['joint']
    found = [x for x in bundle.contents(summary) if x.startswith(bundle.CARDS)]
    self.assertLen(found, len(summary['arms']))
    for name in found:
      self.assertRegex(name, r'^model_cards/\w+\.md$')


if __name__ == '__main__':
  absltest.main()
