import copy
import io

import rich.console
from absl.testing import absltest, parameterized

from fusion_jax.report import console
from tests.report import parts, samples


class ConsoleTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = samples.sample(missing=True)

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def printed(self, width=80, **options):
    out = io.StringIO()
    console.print_summary(
      self.summary, rich.console.Console(file=out, width=width, **options)
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

  @parameterized.parameters(80, 100, 140, 200)
  def test_fits_the_width(self, width):
    self.worst()
    lines = self.printed(width).splitlines()
    self.assertLessEqual(max(map(len, lines)), width)

  @parameterized.parameters(80, 100, 140, 200)
  def test_no_arm_name_or_interval_is_broken(self, width):
    self.worst()
    text = self.printed(width)
    for arm in self.summary['arms']:
      self.assertIn(f' {arm} ', text)
    self.assertIn(' -.123 [-.234, +.345] ', text)
    self.assertRegex(text, r'inconclusive \(\d\)')

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

  @parameterized.parameters(80, 140)
  def test_says_everything_at_any_width(self, width):
    text = self.printed(width)
    for word in (
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

  def test_the_answer_stands_first_and_last(self):
    self.summary['question'] = {
      'verdict': 'equivalent',
      'arm': 'joint',
      'sentence': 'Fusion gains less than the margin.',
      'patients_needed': None,
    }
    text = self.printed(140)
    answer = 'Does fusion help? Equivalent. Fusion gains less than the margin.'
    self.assertEqual(text.count(answer), 2)
    self.assertLess(text.index(answer), text.index('task: binary'))
    self.assertEqual(text.strip().splitlines()[-1].strip(), answer)

  def test_without_a_question_there_is_no_answer(self):
    self.summary['question'] = None
    self.assertNotIn('Does fusion help', self.printed())

  def test_alarms_are_loud_and_said_once(self):
    self.summary['audits'] = parts.audits()
    sentence = self.summary['audits']['missingness']['sentence']
    self.summary['warnings'].append(f'Audit missingness: {sentence}')
    text = self.printed(200)
    self.assertIn(f'ALARM, missingness: {sentence}', text)
    self.assertEqual(text.count(sentence), 1)
    self.assertNotIn('row_order', text)
    colored = self.printed(
      200, force_terminal=True, color_system='standard', no_color=False
    )
    self.assertIn('\x1b[1;31mALARM', colored)


if __name__ == '__main__':
  absltest.main()
