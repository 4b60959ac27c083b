"""Tests of fusion_jax.evaluation.shared_gain."""

import itertools
import math

import numpy as np
from absl.testing import absltest

from fusion_jax.evaluation import conditions, shared_gain

SIDES = {'image': ('xray', 'ct'), 'ehr': ('labs',)}
SEEN = ('xray', 'ct', 'labs')


def worth(players, *, folds=3, draws=40, seed=0):
  """Values (g,) and replicates (g, r) of every set of players."""
  rng = np.random.default_rng(seed)
  sets = [
    frozenset(s)
    for k in range(len(players) + 1)
    for s in itertools.combinations(players, k)
  ]
  values = {s: rng.normal(size=folds) for s in sets}
  replicates = {
    s: x[:, None] + 0.1 * rng.normal(size=(folds, draws))
    for s, x in values.items()
  }
  return values, replicates


class GameTest(absltest.TestCase):
  def test_all_modalities_play_where_all_sets_were_withheld(self):
    made = conditions.of_shapley(SEEN, SIDES)
    game = shared_gain.game_of(SEEN, SIDES, made)
    self.assertEqual(game.players, SEEN)
    self.assertEqual(game.conditions[frozenset({'labs'})], 'xray+ct_absent')
    self.assertEqual(game.conditions[frozenset({'xray', 'ct'})], 'ehr_absent')
    self.assertEqual(game.conditions[frozenset({'ct'})], 'xray+labs_absent')
    self.assertLen(set(game.conditions.values()), 6)
    # The same set under the name of its side, known or not.
    made[made.index('xray+ct_absent')] = 'image_absent'
    again = shared_gain.game_of(SEEN, SIDES, made)
    self.assertEqual(again.conditions[frozenset({'labs'})], 'image_absent')
    named = shared_gain.game_of(SEEN, {}, [x for x in made if 'image' not in x])
    self.assertIsNone(named)

  def test_with_too_few_the_sides_play(self):
    game = shared_gain.game_of(SEEN, SIDES, conditions.ABSENT)
    self.assertEqual(game.players, ('image', 'ehr'))
    self.assertEqual(game.conditions[frozenset({'image'})], 'ehr_absent')
    some = [*conditions.of_shapley(SEEN, SIDES)[1:], *conditions.ABSENT]
    self.assertEqual(shared_gain.game_of(SEEN, SIDES, some).players[0], 'image')

  def test_with_less_there_is_none_and_a_reason(self):
    self.assertIsNone(shared_gain.game_of(SEEN, SIDES, ['image_absent']))
    self.assertIsNone(shared_gain.game_of((), {}, ['pet_absent']))
    self.assertIn("'shapley'", shared_gain.why_none(SEEN)['reason'])
    self.assertIn(
      'ehr_absent and image_absent', shared_gain.why_none(())['reason']
    )

  def test_what_nobody_knows_is_not_taken_for_a_modality(self):
    made = ['xray_absent', 'pet_absent', 'ct+labs_absent']
    self.assertIsNone(shared_gain.game_of(SEEN, {}, made))


class DivideTest(absltest.TestCase):
  def _game(self, players=SEEN):
    sides = SIDES if players == SEEN else {}
    made = conditions.of_shapley(players, sides)
    return shared_gain.game_of(players, sides, made)

  def test_parts_add_up_and_have_intervals(self):
    values, replicates = worth(SEEN)
    found = shared_gain.divide(self._game(), values, replicates)
    self.assertEqual(list(found), [*SEEN, 'all'])
    whole = (values[frozenset(SEEN)] - values[frozenset()]).mean()
    self.assertAlmostEqual(found['all']['estimate'], whole)
    parts = sum(found[m]['estimate'] for m in SEEN)
    self.assertAlmostEqual(parts, whole)
    for entry in found.values():
      self.assertBetween(entry['estimate'], entry['low'], entry['high'])
      self.assertLess(entry['low'], entry['high'])
      self.assertNotIn('sampling_se', entry)
    sides = shared_gain.of_sides(self._game(), values, replicates, SIDES)
    self.assertAlmostEqual(
      sides['image']['estimate'],
      found['xray']['estimate'] + found['ct']['estimate'],
    )
    self.assertEqual(sides['ehr'], found['labs'])

  def test_a_fold_without_a_value_is_left_out_of_all(self):
    values, replicates = worth(SEEN)
    values[frozenset({'ct'})][1] = math.nan
    found = shared_gain.divide(self._game(), values, replicates)
    kept = {s: x[[0, 2]] for s, x in values.items()}
    again = shared_gain.divide(
      self._game(), kept, {s: x[[0, 2]] for s, x in replicates.items()}
    )
    for m in SEEN:
      self.assertEqual(found[m], again[m])

  def test_what_is_nowhere_defined_has_a_reason(self):
    values, replicates = worth(SEEN)
    values[frozenset({'ct'})][:] = math.nan
    found = shared_gain.divide(self._game(), values, replicates)
    self.assertTrue(math.isnan(found['labs']['estimate']))
    self.assertIn('undefined', found['labs']['reason'])

  def test_many_modalities_have_the_error_of_drawing_orders(self):
    players = tuple(f'm{i}' for i in range(7))
    values, replicates = worth(players)
    found = shared_gain.divide(self._game(players), values, replicates)
    for m in players:
      self.assertGreater(found[m]['sampling_se'], 0)
    self.assertNotIn('sampling_se', found['all'])
    self.assertAlmostEqual(
      sum(found[m]['estimate'] for m in players), found['all']['estimate']
    )


if __name__ == '__main__':
  absltest.main()
