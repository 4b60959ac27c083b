import copy
import html.parser
import os
import pathlib
import re
from unittest import mock

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.report import html as html_lib
from tests.report import samples

_VOID = ('meta', 'line', 'rect', 'path')


class Reader(html.parser.HTMLParser):
  """Collects tags, attributes and text, and holds tags against each other."""

  def __init__(self):
    super().__init__()
    self.tags, self.attributes, self.open = [], [], []
    self.text = ''

  def handle_starttag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes += attrs
    if tag not in _VOID:
      self.open.append(tag)

  def handle_startendtag(self, tag, attrs):
    self.tags.append(tag)
    self.attributes += attrs

  def handle_endtag(self, tag):
    assert self.open.pop() == tag, tag

  def handle_data(self, data):
    self.text += data


def read(text):
  reader = Reader()
  reader.feed(text)
  reader.close()
  assert not reader.open, reader.open
  return reader


class HtmlTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = samples.sample(missing=True)

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def test_stands_alone(self):
    text = html_lib.render(self.summary)
    reader = read(text)
    self.assertEmpty({'script', 'link', 'img', 'iframe'} & set(reader.tags))
    names = {name for name, _ in reader.attributes}
    self.assertEmpty({'src', 'href', 'srcset', 'action'} & names)
    self.assertNotIn('url(', text)
    self.assertNotIn('@import', text)
    self.assertNotIn('http', text)

  def test_shows_no_study_or_patient(self):
    predictions = samples.table()
    self.assertStartsWith(predictions.patient_id[0], 'PATIENT')
    text = html_lib.render(self.summary)
    self.assertNotRegex(text, r'(PATIENT|STUDY)\d')

  def test_says_the_table(self):
    text = read(html_lib.render(self.summary)).text
    for word in (
      *self.summary['arms'],
      'superior',
      'Brier',
      '12.3k',
      'Complete cases',
      'a warning of the run',
      'patients redrawn 199',
      'abc123',
      'auprc',
    ):
      self.assertIn(word, text)
    joint = self.summary['arms']['joint']['metrics']['auroc']
    cell = [f'{joint[k]:.3f}'[1:] for k in ('estimate', 'low', 'high')]
    self.assertIn('{} [{}, {}]'.format(*cell), text)

  def test_text_is_escaped(self):
    self.summary['cohort']['name'] = '<script>alert(1)</script>'
    self.summary['warnings'] = ['a < b & "c"', '<b>bold</b>']
    text = html_lib.render(self.summary)
    self.assertNotIn('<script', text)
    self.assertNotIn('<b>bold', text)
    self.assertIn('a < b & "c"', read(text).text)

  def test_undefined_says_why(self):
    entry = self.summary['arms']['image']['metrics']['auroc']
    entry.update(estimate=None, low=None, high=None, reason='one class only')
    text = read(html_lib.render(self.summary)).text
    self.assertIn('n/a (1)', text)
    self.assertIn('(1) one class only', text)

  @parameterized.parameters(
    ({'comparisons': []},),
    ({'complete_cases': None},),
    ({'warnings': []},),
    ({'run': {}},),
  )
  def test_parts_may_be_missing(self, part):
    self.summary.update(part)
    read(html_lib.render(self.summary))

  def test_other_tasks(self):
    for kind in ('multiclass', 'regression'):
      read(html_lib.render(samples.sample(kind)))

  def test_forest_plot_is_to_scale(self):
    """Places of ticks and of intervals lie on the same straight line."""
    reader = read(html_lib.render(self.summary))
    places = [float(v) for k, v in reader.attributes if k == 'x1']
    text = html_lib.render(self.summary)
    ticks = [
      (float(percent) * 10, float(label))
      for percent, label in re.findall(
        r'<span style="left: ([\d.]+)%">([-+.\d]+)</span>', text
      )
    ]
    self.assertGreater(len(ticks), 2)
    (x0, v0), (x1, v1) = ticks[0], ticks[-1]
    bars = re.findall(r'class="bar" x1="([\d.]+)" x2="([\d.]+)"', text)
    self.assertLen(bars, len(self.summary['comparisons']))
    for bar, comparison in zip(bars, self.summary['comparisons'], strict=True):
      for x, end in zip(bar, ('low', 'high'), strict=True):
        value = v0 + (float(x) - x0) / (x1 - x0) * (v1 - v0)
        self.assertAlmostEqual(value, comparison[end], delta=1e-3)
    self.assertTrue(all(0 <= x <= 1000 for x in places))
    zero = float(re.search(r'class="zero" x1="([\d.]+)"', text)[1])
    self.assertAlmostEqual(v0 + (zero - x0) / (x1 - x0) * (v1 - v0), 0, 3)

  @parameterized.parameters(
    (-0.001, 0.001), (-0.3, 0.02), (0.05, 0.4), (-12.0, 55.0), (0.0, 0.0)
  )
  def test_forest_plot_holds_any_difference(self, low, high):
    for entry in self.summary['comparisons']:
      entry.update(difference=(low + high) / 2, low=low, high=high)
    text = html_lib.render(self.summary)
    bars = re.findall(r'class="bar" x1="([-\d.]+)" x2="([-\d.]+)"', text)
    for x in (float(x) for bar in bars for x in bar):
      self.assertBetween(x, 0, 1000)
    self.assertBetween(text.count('<span style="left'), 3, 8)

  def test_difference_without_interval_is_not_drawn(self):
    self.summary['comparisons'][0].update(low=None, high=None, reason='why')
    text = html_lib.render(self.summary)
    self.assertLen(
      re.findall('class="bar"', text), len(self.summary['comparisons']) - 1
    )

  def test_direction_is_said(self):
    self.assertIn('Right of 0', html_lib.render(self.summary))
    self.assertIn('Left of 0', html_lib.render(samples.sample(metric='brier')))

  def test_writes_the_page(self):
    path = self.folder / 'report.html'
    path.write_text('older')
    html_lib.write_html(self.summary, path)
    self.assertEqual(path.read_text(), html_lib.render(self.summary))
    self.assertEqual(os.listdir(self.folder), ['report.html'])

  def test_a_failed_write_leaves_the_older_page(self):
    path = self.folder / 'report.html'
    path.write_text('older')
    with mock.patch.object(
      os, 'replace', side_effect=OSError(28, 'No space left on device')
    ):
      with self.assertRaisesRegex(errors.UserError, 'No space left'):
        html_lib.write_html(self.summary, path)
    self.assertEqual(path.read_text(), 'older')
    self.assertEqual(os.listdir(self.folder), ['report.html'])

  def test_missing_folder(self):
    with self.assertRaisesRegex(errors.UserError, 'report.html'):
      html_lib.write_html(self.summary, self.folder / 'no' / 'report.html')


if __name__ == '__main__':
  absltest.main()
