"""Tests of distributions and of codes among numbers."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import distributions

RNG = np.random.default_rng(0)
AGES = RNG.integers(20, 91, 200).astype(float)
WEIGHTS = np.round(RNG.normal(80, 12, 200), 1)
CRP = np.round(RNG.lognormal(1, 1.5, 200), 1)
COUNTS = RNG.poisson(1.0, 200).astype(float)


def _with(values, *pairs):
  extra = [x for value, count in pairs for x in [value] * count]
  return np.concatenate([values, extra])


class DistributionsTest(parameterized.TestCase):
  def test_describe(self):
    found = distributions.describe(np.array([1, 1, 2, 3, 5, 5, 5, np.nan]))
    self.assertEqual(found.quantiles, (1, 1.5, 3, 5, 5))
    self.assertEqual(found.repeated, ((1, 2), (5, 3)))
    self.assertEqual(found.missing, 1 / 8)

  def test_rows_are_text(self):
    self.assertEqual(
      distributions.row('a', np.array([1.0, 1.0, np.nan, 7.25])),
      ('a', '25.0%', '1', '1', '1', '4.125', '7.25', '1 (2x)'),
    )
    self.assertEqual(distributions.row('a', np.array([np.nan]))[2:7], ('',) * 5)

  @parameterized.parameters(
    (AGES, ((999.0, 5),)),
    (AGES, ((-9999.0, 8), (9999.0, 3))),
    (AGES, ((-1.0, 4),)),
    (AGES, ((998.0, 2), (999.0, 40))),
    (AGES, ((340.0, 3),)),
    (WEIGHTS, ((0.0, 4),)),
    (WEIGHTS, ((-9.0, 2), (999.9, 6))),
    (CRP, ((-1.0, 9),)),
    (CRP, ((99999.0, 2),)),
    (COUNTS, ((99.0, 7),)),
    (np.repeat([0.0, 1.0], 50), ((9.0, 5),)),
    (np.repeat([0.0, 1.0], 50), ((-1.0, 3),)),
    (WEIGHTS - 80, ((-999.0, 5),)),
  )
  def test_codes(self, values, pairs):
    self.assertEqual(
      distributions.codes(_with(values, *pairs)), sorted(list(pairs))
    )

  @parameterized.parameters(
    (AGES,),
    (_with(AGES, (340.0, 1), (-7.0, 1)),),
    (_with(AGES, (99.0, 3)),),
    (_with(AGES, (0.0, 2), (1.0, 5), (3.0, 4)),),
    (WEIGHTS - 80,),
    (np.round(WEIGHTS - 80),),
    (CRP,),
    (_with(np.minimum(CRP, 20.0)),),
    (_with(np.maximum(CRP, 0.3)),),
    (COUNTS,),
    (_with(COUNTS * 100, (0.0, 50)),),
    (np.repeat([-1.0, 0.0, 1.0], 30),),
    (np.repeat(np.arange(11.0), 10),),
    (np.repeat([1.0, 2.0, 3.0, 4.0], 20),),
    (np.array([999.0] * 10),),
    (np.full(10, np.nan),),
    (np.repeat([0.0, 1.0], 40),),
  )
  def test_measurements_are_no_codes(self, values):
    self.assertEqual(distributions.codes(values), [])

  def test_false_alarms_are_rare(self):
    """Of 400 columns drawn from what laboratories measure, none has codes."""
    found = []
    for seed in range(100):
      rng = np.random.default_rng(seed)
      n = int(rng.integers(60, 400))
      for x in (
        rng.normal(100, 15, n).round(),
        rng.lognormal(0, rng.uniform(0.2, 2), n).round(1),
        rng.poisson(rng.uniform(0.2, 8), n).astype(float),
        rng.exponential(10, n).round(),
      ):
        found += distributions.codes(x)
    self.assertEqual(found, [])


if __name__ == '__main__':
  absltest.main()
