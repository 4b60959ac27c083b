"""Tests of fusion_jax.launch.output."""

import copy
import io
import pathlib
import re

import rich.console
from absl.testing import absltest, parameterized

from fusion_jax.launch import output
from fusion_jax.report import console as report_console
from fusion_jax.report import tables
from fusion_jax.report import text as text_lib
from tests.report import parts, samples

INTERVAL = re.compile(r'[+-]?\.\d{3} \[[+-]?\.\d{3}, [+-]?\.\d{3}\]')
METRIC = 'AUROC'


def printed(found, width):
  stream = io.StringIO()
  console = rich.console.Console(file=stream, width=width, highlight=False)
  for table in found:
    output.print_table(table, console)
  return stream.getvalue()


class TablesTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.summary = parts.rich(samples.sample())

  @parameterized.parameters(60, 80, 100, 140)
  def test_controls_fit_and_no_interval_is_broken(self, width):
    text = printed(output.controls(self.summary), width)
    self.assertLessEqual(max(map(len, text.splitlines())), width)
    found = self.summary['controls']
    losses = sum(len(x['conditions']) for x in found.values())
    # One of each control and the difference itself, arm by arm.
    self.assertLen(INTERVAL.findall(text), losses + len(found))
    for arm in found:
      self.assertIn(arm, text)
    self.assertNotIn('\x1b', text)

  def test_controls_are_where_their_arm_and_heading_are(self):
    table, answers = output.controls(self.summary)
    titles = [c.title for c in table.columns]
    row = next(r for r in table.rows() if r[0].text == 'joint')
    conditions = self.summary['controls']['joint']['conditions']
    cell = row[titles.index('record permuted')]
    self.assertEqual(
      cell.number, text_lib.number(conditions['ehr_permuted']['loss'])
    )
    gains = {x['arm']: x for x in self.summary['comparisons']}
    cell = row[titles.index('gain')]
    self.assertEqual(cell.number.estimate, gains['joint']['difference'])
    self.assertEqual(answers.name, 'fusion')

  def test_controls_name_what_fusion_is_compared_with(self):
    summary = copy.deepcopy(self.summary)
    table, _ = output.controls(summary)
    self.assertIn('over the best single modality,', table.note)
    self.assertIn('The ensemble, of two single models,', table.note)
    summary['evaluation']['reference'] = 'ehr'
    for entry in summary['controls'].values():
      del entry['conditions']['ensemble'], entry['ensemble']
    table, _ = output.controls(summary)
    self.assertIn("over 'ehr',", table.note)
    self.assertNotIn('ensemble', table.note)

  def test_footprints_have_each_cost_and_no_front(self):
    text = printed(output.footprints(self.summary), 100)
    for arm in self.summary['tradeoffs']['arms']:
      self.assertIn(arm, text)
    for word in ('parameters', 'training', 'prediction'):
      self.assertIn(word, text)
    self.assertNotIn('cheaper', text)

  @parameterized.parameters(60, 140)
  def test_curves(self, width):
    missing, learning = output.curves(self.summary)
    for table in (missing, learning):
      text = printed([table], width)
      self.assertLessEqual(max(map(len, text.splitlines())), width)
    self.assertEqual(
      [c.title for c in missing.columns], ['arm', '0%', '50%', '100%']
    )
    entry = self.summary['learning_curve'][0]
    (arm, gain), *_ = entry['gain'].items()
    _, learning = output.curves(self.summary, [arm])
    groups = dict(learning.groups)
    self.assertEqual(groups['gain'][0][1].number, text_lib.number(gain))
    self.assertEqual(
      groups[METRIC][0][1].number, text_lib.number(entry['arms'][arm])
    )

  def test_curves_say_how_studies_lose_a_modality(self):
    missing, learning = output.curves(self.summary)
    self.assertIn('random: chance alone', missing.note)
    self.assertIn('informative: the higher the risk', missing.note)
    self.assertEqual(learning.note, '')
    summary = copy.deepcopy(self.summary)
    summary['missing'] = [
      x for x in summary['missing'] if x['mechanism'] == 'random'
    ]
    self.assertNotIn('informative', output.curves(summary)[0].note)

  def test_what_was_not_asked_for_is_empty(self):
    bare = parts.bare(self.summary)
    self.assertFalse(any(output.controls(bare)))
    self.assertFalse(any(output.curves(bare)))

  def test_reasons_stand_below(self):
    cell = tables.Cell(number=text_lib.Number(None, reason='too few patients'))
    table = tables.plain_table(
      'x',
      'X',
      [tables.Column('arm', word=True), tables.Column('loss', interval=True)],
      [[tables.word('joint'), cell]],
    )
    text = printed([table], 60)
    self.assertIn('n/a (1)', text)
    self.assertIn('(1) too few patients', text)


class ShowTest(absltest.TestCase):
  def test_details_alone(self):
    summary = parts.rich(samples.sample())
    stream = io.StringIO()
    console = rich.console.Console(file=stream, width=100, highlight=False)
    page = pathlib.Path('there/report.html')
    output.show_details(page, console, output.curves(summary))
    text = stream.getvalue()
    self.assertIn('by share of test studies', text)
    self.assertIn(f'Report: {page}', text)
    self.assertNotIn(summary['question']['text'], text)

  def test_details_come_after_the_answer_and_before_the_files(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    summary = parts.rich(samples.sample())
    stream = io.StringIO()
    console = rich.console.Console(file=stream, width=100, highlight=False)
    page = output.write(summary, folder)
    output.show(summary, page, console, output.controls(summary))
    text = stream.getvalue()
    answer = text.rindex(summary['question']['text'])
    details = text.index('under each control')
    files = text.index(f'Report: {folder / "report.html"}')
    self.assertLess(answer, details)
    self.assertLess(details, files)
    self.assertTrue((folder / 'report.html').is_file())
    self.assertTrue((folder / 'tables').is_dir())

  def shown(self, level):
    stream = io.StringIO()
    console = rich.console.Console(file=stream, width=100, highlight=False)
    summary = parts.rich(samples.sample())
    page = pathlib.Path(self.create_tempdir().full_path) / 'report.html'
    output.show(summary, page, console, output.footprints(summary), level=level)
    return stream.getvalue()

  def test_levels(self):
    texts = {
      x: self.shown(x)
      for x in (
        report_console.QUIET,
        report_console.SHORT,
        report_console.NORMAL,
        report_console.VERBOSE,
      )
    }
    for text in texts.values():
      self.assertIn('CHECK FIRST', text)
      self.assertIn('Report: ', text)
    # What was asked for is shown of a run that was finished before, too.
    self.assertNotIn('What every arm costs', texts['quiet'])
    self.assertIn('What every arm costs', texts['short'])
    self.assertNotIn('p adj', texts['short'])
    self.assertIn('p adj', texts['normal'])
    for title in ('Every metric of', 'Largest gaps between groups'):
      self.assertNotIn(title, texts['normal'])
      self.assertIn(title, texts['verbose'])
    # Each table is printed once.
    self.assertEqual(texts['verbose'].count('What every arm costs'), 1)


if __name__ == '__main__':
  absltest.main()
