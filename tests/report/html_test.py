import copy
import re

from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.report import html as html_lib
from tests.report import parts, reader, samples


class HtmlTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.plain = samples.sample(missing=True)
    cls.rich = parts.rich(cls.plain)
    cls.curves = parts.curves(cls.plain)
    cls.page = html_lib.render(cls.rich, cls.curves)

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.plain)

  def render(self, **changes):
    self.summary.update(changes)
    return html_lib.render(self.summary)

  def test_stands_alone(self):
    found = reader.read(self.page)
    self.assertEmpty({'script', 'link', 'img', 'iframe'} & set(found.tags))
    names = {name for name, _ in found.attributes}
    self.assertEmpty({'src', 'srcset', 'action'} & names)
    for link in found.values('href'):
      self.assertStartsWith(link, '#')
    self.assertEmpty(re.findall(r'url\((?!#)', self.page))
    self.assertFalse('@import' in self.page)
    self.assertFalse('http' in self.page)

  def test_every_link_and_label_leads_somewhere(self):
    found = reader.read(self.page)
    ids = found.values('id')
    self.assertLen(set(ids), len(ids))
    targets = [x.removeprefix('#') for x in found.values('href')]
    targets += re.findall(r'url\(#([^)]+)\)', self.page)
    for names in found.values('aria-labelledby'):
      targets += names.split()
    self.assertNotEmpty(targets)
    self.assertEmpty(set(targets) - set(ids))

  def test_can_be_read_without_seeing(self):
    found = reader.read(self.page)
    self.assertIn(('html', {'lang': 'en'}), found.elements)
    self.assertEqual(found.headings[0], 1)
    self.assertEqual(found.headings.count(1), 1)
    for before, after in zip(found.headings, found.headings[1:], strict=False):
      self.assertLessEqual(after, before + 1)
    for tag, attributes in found.elements:
      if tag == 'th':
        self.assertIn(attributes['scope'], ('col', 'row', 'rowgroup'))
      if tag == 'svg':
        self.assertTrue(
          attributes.get('aria-labelledby') or attributes.get('aria-hidden')
        )
    figures = found.tags.count('figure')
    self.assertGreater(figures, 10)
    self.assertEqual(found.tags.count('figcaption'), figures)
    self.assertEqual(found.tags.count('desc'), figures)

  def test_shows_no_study_or_patient(self):
    """Also where a summary holds identifiers it should not hold."""
    self.assertStartsWith(samples.table().patient_id[0], 'PATIENT')
    summary = copy.deepcopy(self.rich)
    summary['audits']['duplicates']['examples'] = [['STUDY0001', 'STUDY0002']]
    summary['strange'] = {'PATIENT0003': 1}
    summary['subgroups'].append(
      {
        'group': {'person': 'PATIENT0004'},
        'studies': 1,
        'patients': 1,
        'events': 0,
        'suppressed': '1 patients, fewer than 20',
        'arms': {},
      }
    )
    text = html_lib.render(summary, self.curves)
    self.assertEmpty(re.findall(r'(?:PATIENT|STUDY)_?\d+', text))
    self.assertTrue('person: 1 group was too small' in text)

  def test_says_the_table(self):
    text = reader.read(self.page).text
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

  def test_the_verdict_comes_first(self):
    text = reader.read(self.page).text
    places = [
      text.index(x)
      for x in (
        'Does fusion help? Superior',
        self.rich['question']['sentence'],
        'Alarm: missingness',
        'Warning.',
        'Every arm ever run',
      )
    ]
    self.assertEqual(places, sorted(places))

  @parameterized.parameters(
    'superior', 'inferior', 'equivalent', 'inconclusive'
  )
  def test_a_verdict_is_word_icon_and_colour(self, verdict):
    text = self.render(
      question={'verdict': verdict, 'arm': None, 'sentence': 'So it is.'}
    )
    found = reader.read(text)
    self.assertIn(f'Does fusion help? {verdict.capitalize()}', found.text)
    css = 'open' if verdict == 'inconclusive' else verdict
    self.assertTrue(f'class="verdict {css}"' in text)
    banner = text[text.index('<section class="verdict') :]
    self.assertIn('<svg', banner[: banner.index('</section>')])

  def test_an_alarm_is_said_once_at_the_top(self):
    sentence = self.rich['audits']['missingness']['sentence']
    summary = copy.deepcopy(self.rich)
    summary['warnings'].append(f'Audit missingness: {sentence}')
    text = html_lib.render(summary)
    self.assertFalse('Audit missingness:' in text)
    self.assertEqual(text.count('class="alarm-box"'), 1)
    self.assertTrue('a warning of the run' in text)

  @parameterized.parameters(*parts.SECTIONS)
  def test_each_part_has_a_section_and_may_be_missing(self, key, anchor):
    self.assertTrue(f'id="{anchor}"' in self.page)
    self.summary = parts.bare(self.plain)
    self.assertFalse(f'id="{anchor}"' in self.render())
    text = self.render(**{key: self.rich[key]})
    reader.read(text)
    self.assertTrue(f'id="{anchor}"' in text)

  def test_nothing_of_version_1_is_needed_beyond_it(self):
    summary = parts.bare(self.plain)
    text = reader.read(html_lib.render(summary)).text
    self.assertTrue('No verdict on the question as a whole' in text)

  @parameterized.parameters(
    {'comparisons': []},
    {'complete_cases': None},
    {'warnings': []},
    {'run': {}},
    {'audits': {}},
  )
  def test_parts_may_be_missing(self, **part):
    reader.read(self.render(**part))

  @parameterized.parameters(types.MULTICLASS, types.REGRESSION)
  def test_other_tasks(self, kind):
    summary = parts.rich(samples.sample(kind))
    reader.read(html_lib.render(summary, parts.curves(summary)))

  def test_text_is_escaped(self):
    self.summary['cohort']['name'] = '<script>alert(1)</script>'
    self.summary['warnings'] = ['a < b & "c"', '<b>bold</b>']
    arm = '<i>$x_{$ & "y"'
    self.summary['complete_cases'] = None
    self.summary['arms'][arm] = self.summary['arms'].pop('joint')
    for comparison in self.summary['comparisons']:
      if comparison['arm'] == 'joint':
        comparison['arm'] = arm
    text = self.render()
    self.assertFalse('<script' in text)
    self.assertFalse('<b>bold' in text)
    self.assertFalse('<i>' in text)
    self.assertIn('a < b & "c"', reader.read(text).text)
    self.assertIn(arm, reader.read(text).text)

  def test_undefined_says_why(self):
    entry = self.summary['arms']['image']['metrics']['auroc']
    entry.update(estimate=None, low=None, high=None, reason='one class only')
    text = reader.read(self.render()).text
    self.assertTrue('n/a (1)' in text)
    self.assertTrue('(1) one class only' in text)

  def test_marks_lead_to_their_notes_and_back(self):
    for arm in ('image', 'ehr'):
      entry = self.summary['arms'][arm]['metrics']['auroc']
      entry.update(estimate=None, low=None, high=None, reason='one class only')
    self.summary['comparisons'][0]['reason'] = 'few patients (of [95%])'
    alarm = {'alarm': True, 'metric': 'auroc', **parts.entry(0.9)}
    alarm['reason'] = 'a third of them'
    self.summary['audits'] = {'a': alarm, 'b': alarm}
    found = reader.read(self.render())
    ids = found.values('id')
    self.assertLen(set(ids), len(ids))
    notes = [x for x in ids if x.startswith('note-')]
    marks = [x for x in ids if x.startswith('mark-')]
    self.assertGreaterEqual(len(notes), 3)
    self.assertLen(marks, len(notes))
    links = found.values('href')
    self.assertGreater(links.count('#note-2'), 1)
    self.assertEmpty({x[1:] for x in links} - set(ids))
    for k in range(1, len(notes) + 1):
      self.assertEqual(links.count(f'#mark-{k}'), 1)
    self.assertIn('It predicts the label: auroc .900 ', found.text)

  def test_direction_is_said(self):
    self.assertIn('Right of 0', self.render())
    self.assertIn('Left of 0', html_lib.render(samples.sample(metric='brier')))

  def test_many_arms_make_no_large_page(self):
    summary = copy.deepcopy(self.plain)
    for k in range(11):
      arm = f'joint_{k}'
      summary['arms'][arm] = summary['arms']['joint']
      summary['comparisons'].append({**summary['comparisons'][1], 'arm': arm})
    summary = parts.rich(summary)
    self.assertLen(summary['arms'], 17)
    text = html_lib.render(summary, parts.curves(summary))
    self.assertLess(len(text.encode()), 3e6)

  def test_colours_can_be_read(self):
    """Text has a contrast of 4.5, lines one of 3, in light and in dark."""
    css = self.page[self.page.index(':root') : self.page.index('</style>')]
    dark_from = css.index('prefers-color-scheme')
    for part in (css[:dark_from], css[dark_from : css.index('* {')]):
      color = dict(re.findall(r'--([\w-]+): (#\w+)', part))
      for ink, paper, least in (
        ('ink', 'page', 4.5),
        ('faint', 'page', 4.5),
        ('mark', 'page', 4.5),
        ('good', 'page', 4.5),
        ('bad', 'page', 4.5),
        ('same', 'page', 4.5),
        ('warn-ink', 'warn', 4.5),
        ('alarm-ink', 'alarm', 4.5),
        *((f's{k}', 'page', 3.0) for k in range(1, 6)),
      ):
        found = contrast(color[ink], color[paper])
        self.assertGreaterEqual(found, least, f'{ink} on {paper}')


def contrast(one: str, other: str) -> float:
  """Contrast ratio of two colours (WCAG 2.2)."""
  light, dark = sorted((luminance(one), luminance(other)), reverse=True)
  return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
  digits = color.removeprefix('#')
  if len(digits) == 3:
    digits = ''.join(2 * x for x in digits)
  found = 0.0
  for share, at in ((0.2126, 0), (0.7152, 2), (0.0722, 4)):
    value = int(digits[at : at + 2], 16) / 255
    linear = value / 12.92
    if value > 0.04045:
      linear = ((value + 0.055) / 1.055) ** 2.4
    found += share * linear
  return found


if __name__ == '__main__':
  absltest.main()
