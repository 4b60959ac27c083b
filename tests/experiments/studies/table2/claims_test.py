"""Tests of experiments.studies.table2.claims."""

import json

from absl.testing import absltest, parameterized

from experiments.studies.table2 import claims


def check(expected, found, **numbers):
  return claims.Check('arm', '', expected, found, **numbers)


class OutcomeTest(parameterized.TestCase):
  @parameterized.parameters(
    ([('yes', 'yes'), ('no', 'no')], claims.AGREES),
    ([('yes', 'no'), ('no', 'yes')], claims.DISAGREES),
    ([('yes', 'yes'), ('yes', 'no')], claims.QUALIFIED),
    ([('yes', 'yes'), ('yes', 'unclear')], claims.QUALIFIED),
    ([('yes', 'no'), ('yes', 'unclear')], claims.QUALIFIED),
    ([('no', 'unclear')], claims.QUALIFIED),
  )
  def test_outcome(self, pairs, expected):
    self.assertEqual(claims.outcome([check(*p) for p in pairs]), expected)

  def test_no_check_is_no_agreement(self):
    with self.assertRaises(ValueError):
      claims.outcome([])


class TableTest(absltest.TestCase):
  def test_the_reviews_answers(self):
    words = [
      [claims.CLAIMS[name].review[s].split(',')[0] for s in claims.STRATEGIES]
      for name in claims.CLAIMS
    ]
    self.assertEqual(
      words,
      [
        ['no', 'no', 'yes'],
        ['yes', 'yes', 'no'],
        ['no', 'yes', 'no'],
        ['no', 'no', 'yes'],
        ['yes', 'yes', 'no'],
        ['yes', 'no', 'yes'],
        ['no', 'yes', 'no'],
      ],
    )

  def test_undefined_is_null(self):
    row = claims.Row(
      'setup',
      'measure',
      'criterion',
      {s: [check('yes', 'yes', estimate=0.5)] for s in claims.STRATEGIES},
    )
    found = claims.to_json(claims.DATA, row)
    text = json.dumps(found, allow_nan=False)
    cell = json.loads(text)['cells']['late']
    self.assertEqual(cell['outcome'], claims.AGREES)
    self.assertEqual(cell['review'], 'yes')
    self.assertEqual(cell['checks'][0]['estimate'], 0.5)
    self.assertIsNone(cell['checks'][0]['low'])


if __name__ == '__main__':
  absltest.main()
