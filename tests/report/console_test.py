import copy
import io
import os
from unittest import mock

import rich.console
from absl.testing import absltest, parameterized

from fusion_jax.report import console, first
from tests.report import parts, samples


class ConsoleTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = samples.sample(missing=True)

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def printed(self, width=80, level=console.NORMAL, **options):
    out = io.StringIO()
    console.print_summary(
      self.summary,
      rich.console.Console(file=out, width=width, **options),
      level,
    )
    return out.getvalue()

  def worst(self):
    """The widest cells there can be."""
    for arm in ('joint_raw_ehr', 'joint_additive', 'early_features'):
      self.summary['arms'][arm] = self.summary['arms']['joint']
      entry = copy.deepcopy(self.summary['comparisons'][1])
      entry.update(arm=arm, reason='some reason', verdict='inconclusive')
      entry.update(difference=-0.123, low=-0.234, high=0.345)
      self.summary['comparisons'].append(entry)

  @parameterized.parameters(60, 80, 100, 140, 200)
  def test_fits_the_width(self, width):
    self.worst()
    lines = self.printed(width).splitlines()
    self.assertLessEqual(max(map(len, lines)), width)

  @parameterized.parameters(60, 80, 100, 140, 200)
  def test_no_arm_name_or_interval_is_broken(self, width):
    self.worst()
    text = self.printed(width)
    for arm in self.summary['arms']:
      self.assertIn(f' {arm} ', text)
    self.assertIn(' -.123 [-.234, +.345] ', text)
    self.assertRegex(text, r'inconclusive \(\d\)')
    self.assertNotIn('…', text)

  def test_long_names_are_broken_and_not_cut(self):
    name = 'a_model_of_our_own_with_' + 'many_' * 10 + 'words'
    for part in (self.summary, self.summary['complete_cases']):
      part['arms'][name] = part['arms'].pop('joint')
      part['comparisons'][1]['arm'] = name
    lines = self.printed(60).splitlines()
    self.assertLessEqual(max(map(len, lines)), 60)
    # The second line of the name, and the third, stand below the first.
    first = next(k for k, x in enumerate(lines) if x.startswith(' a_model'))
    shown = ''.join(x[:42].strip() for x in lines[first:])
    self.assertTrue(shown.startswith(name), shown)

  def test_says_the_numbers_with_their_arm(self):
    joint = self.summary['arms']['joint']['metrics']['auroc']['estimate']
    comparison = self.summary['comparisons'][1]
    line = next(
      x for x in self.printed().splitlines() if x.startswith(' joint ')
    )
    self.assertIn(f'{joint:.3f}'.removeprefix('0'), line)
    self.assertIn(
      f'+{comparison["difference"]:.3f}'.replace('0.', '.', 1), line
    )
    self.assertIn(comparison['verdict'], line)

  @parameterized.parameters(60, 80, 140)
  def test_says_everything_at_any_width(self, width):
    text = self.printed(width, console.VERBOSE)
    for word in (
      'Calibration, spread and cost' if width < 140 else 'fold sd',
      'Brier',
      'slope',
      'params',
      'time',
      '12.3k',
      'events',
      'Complete cases',
      'Warning: a warning of the run',
      'superior',
      'patients redrawn 199',
      'runs/made_up',
    ):
      self.assertIn(word, text)

  @parameterized.parameters(60, 80, 100, 140)
  def test_the_first_screen_is_short_and_says_what_the_page_says(self, width):
    self.summary = parts.rich(self.summary)
    text = self.printed(width, console.QUIET)
    lines = text.strip().splitlines()
    self.assertLessEqual(max(map(len, lines)), width)
    if width >= 100:
      self.assertLessEqual(len(lines), 14)
    flat = ' '.join(text.split())
    screen = first.build(self.summary, warnings='in the report')
    # No warning is printed here.
    self.assertNotIn('below', flat)
    for said in (
      screen.answer,
      screen.gain.number,
      screen.gain.bounds,
      *screen.added,
      *(line.label for line in screen.lines),
      *(line.text for line in screen.lines),
      *(words for _, words in screen.counts),
    ):
      self.assertIn(' '.join(said.split()), flat)
    # None of what is added is broken over two lines.
    for said in screen.added:
      self.assertIn(said, text)

  def test_levels(self):
    quiet = self.printed(100, console.QUIET)
    self.assertEqual(quiet, self.printed(100, console.SHORT))
    normal = self.printed(100)
    verbose = self.printed(100, console.VERBOSE)
    shorter, *longer = (
      ' '.join(x.split()).replace('in the report', 'below')
      for x in (quiet, normal, verbose)
    )
    for text in longer:
      self.assertStartsWith(text, shorter)
    self.assertLess(len(normal), len(verbose))
    for word in ('p adj', 'a warning of the run'):
      self.assertNotIn(word, quiet)
      self.assertIn(word, normal)
    for word in ('patients redrawn', 'Test part of each fold', 'runs/made_up'):
      self.assertNotIn(word, normal)
      self.assertIn(word, verbose)

  def test_undefined_says_why(self):
    entry = self.summary['arms']['image']['metrics']['auroc']
    entry.update(estimate=None, low=None, high=None, reason='one class only')
    text = self.printed()
    self.assertRegex(text, r'image +n/a \(1\)')
    self.assertIn('(1) one class only', text)

  def test_colour_only_in_a_terminal(self):
    self.assertNotIn('\x1b', self.printed())
    self.assertIn(
      '\x1b', self.printed(force_terminal=True, color_system='standard')
    )

  def test_names_are_no_markup(self):
    self.summary['cohort']['name'] = '[bold]x[/bold] :smile:'
    self.summary['warnings'] = ['column [red]a[/red] [/]']
    text = self.printed()
    self.assertIn('[bold]x[/bold] :smile:', text)
    self.assertIn('column [red]a[/red] [/]', text)

  def test_every_reason_is_marked_and_explained(self):
    self.summary['comparisons'][0]['reason'] = 'first reason'
    self.summary['comparisons'][2]['reason'] = 'second reason'
    text = self.printed()
    self.assertIn('(1) first reason', text)
    self.assertIn('(2) second reason', text)

  def test_only_what_is_shown_is_explained(self):
    self.summary['arms']['joint']['type'] = 'II'
    text = self.printed(200, console.VERBOSE)
    self.assertIn('fold sd: of the mean', text)
    self.assertIn('time, compile: of', text)
    # The type of an arm is told on the page.
    self.assertNotIn('I, II:', text)
    self.summary['gain'] = None
    for part in (self.summary, self.summary['complete_cases']):
      part['comparisons'] = []
      for entry in part['arms'].values():
        entry.update(cost={}, variability={})
    self.summary['question']['sentence'] = 'Nothing was compared.'
    text = self.printed(200, console.VERBOSE)
    for word in ('fold sd', 'compile', 'gain', 'superior'):
      self.assertNotIn(word, text)
    self.assertIn('Brier: lower', text)

  def test_without_a_reference_no_interval_is_explained(self):
    for entry in self.summary['comparisons']:
      entry.update(dict.fromkeys(('difference', 'low', 'high', 'p_adjusted')))
      entry.update(verdict='inconclusive', reason='there is no reference')
    text = self.printed(200, console.VERBOSE)
    self.assertIn('inconclusive (1)', text)
    self.assertIn('(1) there is no reference', text)
    for words in ('bounds hold', 'max-t', 'superior:'):
      self.assertNotIn(words, text)

  def test_bca_is_said(self):
    self.assertNotIn('BCa', self.printed())
    self.summary['evaluation']['method'] = 'bca'
    text = self.printed(200, console.VERBOSE)
    self.assertEqual(text.count('(BCa; Efron, 1987)'), 1)

  def test_no_colour_if_the_user_wants_none(self):
    with mock.patch.dict(os.environ, NO_COLOR='1'):
      text = self.printed(force_terminal=True, color_system='standard')
    self.assertNotRegex(text, r'\x1b\[[0-9;]*3\dm')

  @parameterized.parameters(60, 140)
  def test_a_reference_given_by_name_is_marked(self, width):
    self.summary['evaluation']['reference'] = 'ehr'
    text = self.printed(width, console.VERBOSE)
    self.assertIn(' ehr (reference)', text)
    self.assertIn('(reference): what fusion is compared with.', text)
    self.assertNotIn('picked on validation', text)

  def test_what_speaks_against_a_verdict_stands_beside_it(self):
    self.summary['comparisons'][1].update(
      verdict='superior',
      within_margin=True,
      fragile={'factor': 1.35, 'verdict': 'inconclusive'},
    )
    self.assertIn(
      'superior, by < .02, fragile: inconclusive', self.printed(140)
    )

  def test_alarms_are_loud_and_said_once(self):
    self.summary['audits'] = parts.audits()
    sentence = self.summary['audits']['missingness']['sentence']
    self.summary['warnings'].append(f'Audit missingness: {sentence}')
    text = self.printed(200)
    self.assertIn(f'ALARM, missingness: {sentence}', text)
    self.assertEqual(text.count(sentence), 1)
    self.assertNotIn('row order', text)
    colored = self.printed(
      200, force_terminal=True, color_system='standard', no_color=False
    )
    self.assertIn('\x1b[1;31mALARM', colored)


if __name__ == '__main__':
  absltest.main()
