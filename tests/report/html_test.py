import base64
import copy
import hashlib
import re

from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import verdict as verdict_lib
from fusion_jax.report import choices, first
from fusion_jax.report import html as html_lib
from fusion_jax.report import page as page_lib
from fusion_jax.report import text as text_lib
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
    self.assertEmpty({'link', 'img', 'iframe', 'object'} & set(found.tags))
    names = {name for name, _ in found.attributes}
    self.assertEmpty({'src', 'srcset', 'action'} & names)
    for link in found.values('href'):
      self.assertRegex(link, r'^(#|(figures|tables|model_cards)/|\w+\.json$)')
    self.assertEmpty(re.findall(r'url\((?!#)', self.page))
    self.assertFalse('@import' in self.page)
    self.assertNotIn('http:', self.page)
    self.assertNotIn('https:', self.page)

  def test_every_link_and_label_leads_somewhere(self):
    found = reader.read(self.page)
    ids = found.values('id')
    self.assertLen(set(ids), len(ids))
    targets = [x[1:] for x in found.values('href') if x[0] == '#']
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
    self.assertContainsSubset({'header', 'main', 'section'}, found.tags)
    self.assertIn(('a', {'class': 'skip', 'href': '#results'}), found.elements)
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
      'AUPRC',
    ):
      self.assertIn(word, text)
    joint = self.summary['arms']['joint']['metrics']['auroc']
    cell = [f'{joint[k]:.3f}'[1:] for k in ('estimate', 'low', 'high')]
    self.assertIn('{} [{}, {}]'.format(*cell), text)

  def test_the_first_screen_comes_first(self):
    text = reader.read(self.page).text
    screen = first.build(self.rich)
    places = [
      text.index(x)
      for x in (
        ' · '.join(screen.cohort),
        screen.question,
        screen.answer,
        screen.gain.number,
        *(line.label for line in screen.lines),
        'AUROC of every arm, and its gain',
        screen.counts[0][1],
        'Warning.',
        'Every arm in numbers',
        'Every arm ever run',
        'Methods text',
      )
    ]
    self.assertEqual(places, sorted(places))

  @parameterized.parameters(
    ('superior', 'superior'),
    ('inferior', 'inferior'),
    ('equivalent', 'equivalent'),
    ('inconclusive', 'inconclusive'),
  )
  def test_an_answer_is_word_icon_and_colour(self, verdict, css):
    words = verdict_lib.in_words(verdict, 0.02)
    self.summary['question'].update(verdict=verdict, words=words)
    text = self.render()
    self.assertIn(f'<header class="first {css}">', text)
    answer = text[text.index('<p class="answer">') :]
    answer = answer[: answer.index('</p>')]
    self.assertIn('<svg', answer)
    self.assertIn(f'<strong>{words}</strong>', answer)

  def test_no_verdict_is_louder_than_another(self):
    """One class of type for all answers: only their colour differs."""
    css = self.page[self.page.index('<style>') : self.page.index('</style>')]
    for verdict in ('superior', 'inferior', 'equivalent', 'open'):
      rules = re.findall(
        rf'\.{verdict}[^{{}}]*\.answer[^{{}}]*{{([^}}]*)}}', css
      )
      self.assertNotEmpty(rules, verdict)
      for rule in rules:
        self.assertRegex(rule.strip(), r'^color: var\(--\w+\);$')

  def test_within_the_margin_and_fragile_are_shown_and_said(self):
    comparison = self.summary['comparisons'][1]
    comparison.update(
      verdict='superior',
      within_margin=True,
      fragile={'factor': 1.35, 'verdict': 'inconclusive'},
    )
    text = self.render()
    self.assertIn('△ superior by &lt; .02', text)
    self.assertIn('class="strip superior within"', text)
    self.assertIn('>fragile: inconclusive<', text)
    self.assertIn('△ ▽: so, but by less than the margin', text)

  def test_an_alarm_is_said_at_the_top_and_no_second_time_as_a_warning(self):
    sentence = self.rich['audits']['missingness']['sentence']
    summary = copy.deepcopy(self.rich)
    summary['warnings'].append(f'Audit missingness: {sentence}')
    text = html_lib.render(summary)
    self.assertNotIn('Audit missingness:', text)
    self.assertIn(
      'what is missing or declared unknown alone reaches .871', text
    )
    self.assertLess(
      text.index('what is missing or declared'), text.index('<main>')
    )
    self.assertIn('a warning of the run', text)

  @parameterized.parameters(*parts.SECTIONS)
  def test_each_part_has_a_section_and_may_be_missing(self, key, anchor):
    self.assertTrue(f'id="{anchor}"' in self.page)
    self.summary = parts.bare(self.plain)
    self.assertFalse(f'id="{anchor}"' in self.render())
    text = self.render(**{key: self.rich[key]})
    reader.read(text)
    self.assertTrue(f'id="{anchor}"' in text)

  @parameterized.parameters(
    {'comparisons': [], 'gain': None},
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
    self.assertEqual(text.count('<script'), 1)
    self.assertFalse('<b>bold' in text)
    self.assertFalse('<i>' in text)
    self.assertIn('a < b & "c"', reader.read(text).text)
    self.assertIn(arm, reader.read(text).text)

  def test_flags_are_kept_on_one_line_and_escaped(self):
    self.summary['warnings'] = ['Raise it (--set=x.y=<N>), or --a--b & c.']
    text = self.render()
    self.assertIn('<span class="flag">(--set=x.y=&lt;N&gt;),</span>', text)
    self.assertIn('<span class="flag">--a--b</span> &amp; c.', text)
    self.assertIn(self.summary['warnings'][0], reader.read(text).text)

  def test_undefined_says_why(self):
    entry = self.summary['arms']['image']['metrics']['auroc']
    entry.update(estimate=None, low=None, high=None, reason='one class only')
    text = reader.read(self.render()).text
    self.assertTrue('n/a (1)' in text)
    self.assertTrue('(1) one class only' in text)

  def test_hostile_names_stay_text(self):
    arm = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
    self.summary['arms'] = {
      (arm if k == 'joint' else k): x for k, x in self.summary['arms'].items()
    }
    self.summary['complete_cases'] = None
    for comparison in self.summary['comparisons']:
      if comparison['arm'] == 'joint':
        comparison.update(arm=arm, verdict='inconclusive')
    self.summary['gain'].update(arm=arm)
    self.summary['question']['not_in_headline'] = [f'Inferior: {arm}.']
    self.summary['use'] = parts.use(self.summary, arm)
    self.summary['cohort']['name'] = arm
    curves = {arm: parts.curves(self.plain)['joint']}
    text = html_lib.render(self.summary, curves)
    page = reader.read(text)
    self.assertEqual(page.tags.count('script'), 1)
    self.assertNotIn('img', page.tags)
    self.assertEmpty({n for n, _ in page.attributes if n.startswith('on')})
    self.assertIn(arm, page.values('data-arm'))
    self.assertIn(arm, page.text)

  def test_curves_know_their_arms(self):
    """A line and a band of every arm that is drawn can be hidden."""
    curve = self.page[self.page.index('<strong>ROC curve</strong>') :]
    curve = curve[: curve.index('</figure>')]
    arms = re.findall(r'<g data-arm="(\w+)"><title>\1</title>', curve)
    drawn = choices.shown(self.rich)
    self.assertCountEqual(arms, [*drawn, *drawn])

  def test_no_other_script_may_run(self):
    page = reader.read(self.page)
    policy = next(
      dict(x)['content']
      for tag, x in page.elements
      if tag == 'meta' and 'http-equiv' in x
    )
    self.assertIn("default-src 'none'", policy)
    script = self.page.partition('<script>')[2].partition('</script>')[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest())
    self.assertIn(f"script-src 'sha256-{digest.decode()}'", policy)
    self.assertNotIn('unsafe-eval', policy)

  def test_the_script_is_small_and_writes_no_markup(self):
    script = self.page.partition('<script>')[2].partition('</script>')[0]
    self.assertLess(len(script), 12e3)
    for banned in (
      'innerHTML',
      'outerHTML',
      'document.write',
      'eval(',
      'fetch',
    ):
      self.assertNotIn(banned, script)

  def test_without_its_script_nothing_is_missing(self):
    """What a script would make is not there; what it works on is all text."""
    page = reader.read(self.page)
    self.assertEmpty({'button', 'input', 'template', 'noscript'} & {*page.tags})
    self.assertEmpty({'hidden'} & {name for name, _ in page.attributes})
    shown = [x for x in page.values('data-arm') if x in self.rich['arms']]
    self.assertContainsSubset(self.rich['arms'], shown)
    for comparison in self.rich['comparisons']:
      number = text_lib.Number(
        comparison['difference'], comparison['low'], comparison['high']
      )
      cell = text_lib.interval(number, text_lib.Reasons(), signed=True)
      self.assertIn(cell, page.text)

  def test_what_is_folded_is_printed(self):
    css = self.page[
      self.page.index('@media print') : self.page.index('</style>')
    ]
    self.assertRegex(
      css,
      r'details::details-content \{ content-visibility: visible; '
      r'block-size: auto; \}',
    )

  def test_open_text_is_short(self):
    """Under 900 words of a full page are seen without asking."""
    self.assertLess(len(reader.read(self.page).open_text.split()), 900)
    # The rest is there.
    self.assertGreater(len(reader.read(self.page).text.split()), 3000)

  def test_every_column_is_defined_beside_its_table(self):
    for summary in (self.rich, parts.rich(samples.sample(types.MULTICLASS))):
      page = page_lib.build(summary)
      for table in page.tables():
        defined = ' '.join(x for x, _ in page.meanings[table.name])
        for column in table.columns:
          known = column.title in defined or column.title in ('arm', 'in words')
          fold = column.title.startswith('fold ')
          self.assertTrue(known or fold, (table.name, column.title))

  def test_no_float_noise_and_no_keys_of_the_summary_in_open_text(self):
    text = reader.read(self.page).open_text
    self.assertNotRegex(text, r'\de-\d')
    self.assertNotRegex(text, r'\bauroc\b|\bc_index\b')
    self.assertNotRegex(text, r'[.!?] Its\b')

  def test_undefined_leads_to_its_note_and_back(self):
    for arm in ('image', 'ehr'):
      entry = self.summary['arms'][arm]['metrics']['auroc']
      entry.update(estimate=None, low=None, high=None, reason='one class only')
    self.summary['comparisons'][0]['reason'] = 'few patients (of [95%])'
    found = reader.read(self.render())
    ids = found.values('id')
    self.assertLen(set(ids), len(ids))
    notes = [x for x in ids if x.startswith('note-')]
    marks = [x for x in ids if x.startswith('mark-')]
    self.assertGreaterEqual(len(notes), 2)
    self.assertLen(marks, len(notes))
    links = [x for x in found.values('href') if x[0] == '#']
    self.assertGreater(links.count('#note-1'), 1)
    self.assertEmpty({x[1:] for x in links} - set(ids))
    for k in range(1, len(notes) + 1):
      self.assertEqual(links.count(f'#mark-{k}'), 1)

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
