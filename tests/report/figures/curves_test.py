import numpy as np
from absl.testing import absltest

from fusion_jax.report.figures import curves, style


def curve(y=(0.0, 0.5, 1.0)):
  return {'x': [0.0, 0.5, 1.0], 'y': list(y)}


def series(canvas):
  """Names of the lines in the legend."""
  return [x.get_text().strip() for x in canvas.legends[0].get_texts()]


class CurvesTest(absltest.TestCase):
  def test_labels_become_part_of_the_kind(self):
    flat = curves.flat(
      {
        'joint': {
          'roc': {'a': curve(), 'b': curve()},
          'risk_coverage': {**curve(), 'aurc': {'estimate': 0.1}},
          'other': curve(),
        },
        'treat_all': {'decision': {'a': {'threshold': [0.1], 'y': [0.2]}}},
      }
    )
    self.assertEqual(
      {arm: list(x) for arm, x in flat.items()},
      {
        'joint': ['roc/a', 'roc/b', 'risk_coverage'],
        'treat_all': ['decision/a'],
      },
    )

  def test_curves_that_are_undefined_are_left_out(self):
    nothing = {'x': [0, 1], 'y': [None, None], 'reason': 'one class'}
    flat = curves.flat({'joint': {'roc': nothing, 'pr': curve()}})
    self.assertEqual(list(flat['joint']), ['pr'])
    self.assertEqual(
      curves.flat({'joint': {'roc': {'reason': 'no model'}}})['joint'], {}
    )

  def test_losses_by_epoch_are_no_arm(self):
    losses = {'epochs': [1], 'train': [0.5], 'valid': [0.6], 'kept': 1}
    given = {'training': {'joint': [losses]}, 'joint': {'roc': curve()}}
    self.assertEqual(list(curves.flat(given)), ['joint'])
    # Arms may be called as the axes are.
    for name in ('x', 'threshold', 'coverage'):
      given = {'training': {name: [losses]}, name: {'roc': curve()}}
      self.assertEqual(list(curves.flat(given)), [name])
    # Other people may call an arm so.
    given = {'training': {'roc': curve()}}
    self.assertEqual(list(curves.flat(given)['training']), ['roc'])

  def test_kinds_are_in_order(self):
    flat = {'a': {'decision': 0, 'roc/y': 0}, 'b': {'roc/x': 0, 'pr': 0}}
    self.assertEqual(
      curves.kinds(flat, ['a', 'b']), ['roc/y', 'roc/x', 'pr', 'decision']
    )

  def test_points_keep_gaps(self):
    found = curves.points({**curve((0.0, None, 1.0)), 'low': [], 'high': []})
    np.testing.assert_array_equal(found['y'], [0, np.nan, 1])
    self.assertNotIn('low', found)

  def test_few_arms_at_a_time(self):
    names = [f'arm{k}' for k in range(8)]
    canvas = curves.draw({a: {'roc': curve()} for a in names}, 'roc', names)
    self.assertEqual(series(canvas), names[:4])

  def test_a_roc_curve_starts_at_0_0(self):
    high = {**curve((0.4, 0.8, 1.0)), 'low': [0.2] * 3, 'high': [0.9] * 3}
    axes = curves.draw({'a': {'roc': high}}, 'roc', ['a']).axes[0]
    line = np.array(axes.lines[0].get_data())
    np.testing.assert_array_equal(line[:, 0], [0, 0])
    np.testing.assert_array_equal(line[1, 1:], high['y'])
    # What other curves begin with is what they are.
    axes = curves.draw({'a': {'pr': high}}, 'pr', ['a']).axes[0]
    self.assertEqual(axes.lines[0].get_ydata()[0], 0.4)

  def test_what_is_no_arm_s_curves_is_left_out(self):
    model = {'repeat': 0, 'fold': 0, 'seed': 0, 'epochs': [0], 'train': [1.0]}
    beside = {
      'training': {'joint': [model]},
      'pictures': {'arms': ['joint'], 'scores': {'joint': {'': {}}}},
    }
    flat = curves.flat({**beside, 'joint': {'roc': curve()}})
    self.assertEqual(list(flat), ['joint'])
    self.assertEqual(
      list(curves.flat({'training': {'roc': curve()}})['training']), ['roc']
    )

  def test_bands_and_values_are_the_file_s(self):
    given = {**curve(), 'low': [0.0, 0.4, 0.9], 'high': [0.1, 0.6, 1.0]}
    canvas = curves.draw({'joint': {'roc': given}}, 'roc', ['joint'])
    axes = canvas.axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_ydata()[1:], given['y'])
    band = axes.collections[0].get_paths()[0].vertices
    self.assertTrue((band == [0.5, 0.4]).all(axis=1).any())
    self.assertTrue((band == [0.5, 0.6]).all(axis=1).any())

  def test_decision_curves_show_all_and_none(self):
    decision = {'threshold': [0.1, 0.5], 'net_benefit': [0.2, 0.1]}
    canvas = curves.draw(
      {'joint': {'decision': decision}, 'treat_all': {'decision': decision}},
      'decision',
      ['joint'],
    )
    self.assertEqual(series(canvas), ['joint', 'treat all', 'treat none'])
    low, high = canvas.axes[0].get_ylim()
    self.assertLess(low, 0)
    self.assertGreater(high, 0.2)

  def test_values_are_drawn_in_their_unit(self):
    given = {'x': [10.0, 20.0], 'y': [12.0, 19.0]}
    canvas = curves.draw(
      {'joint': {'calibration': given}},
      'calibration',
      ['joint'],
      probabilities=False,
    )
    axes = canvas.axes[0]
    self.assertGreater(axes.get_xlim()[1], 19)
    self.assertEqual(axes.get_xlabel(), 'predicted')

  def test_every_kind_can_be_saved(self):
    for kind in curves.KINDS:
      canvas = curves.draw({'joint': {kind: curve()}}, kind, ['joint'])
      self.assertIn('joint</text>', style.Drawn(kind, 'x', 'x', canvas).svg)


if __name__ == '__main__':
  absltest.main()
