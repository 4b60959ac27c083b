"""Tests of fusion_jax.evaluation.design."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.evaluation import dependence, planning
from fusion_jax.evaluation import design as design_lib

MARGIN = 0.02


def binormal(**changed) -> design_lib.Binormal:
  return design_lib.Binormal(
    **{
      'singles': ('image', 'ehr'),
      'fusions': ('joint', 'late'),
      'auroc_single': (0.80, 0.78),
      'prevalence': 0.2,
      **changed,
    }
  )


def needed(**changed) -> tuple[int, int]:
  design = binormal(**changed)
  gains = [0.03] + [0.0] * (len(design.fusions) - 1)
  found = planning.plan(design, gains=gains, margin=MARGIN)
  return found.superior.patients, found.equivalent.patients


class BinormalTest(parameterized.TestCase):
  def test_covariance_is_that_of_differences(self):
    design = binormal(studies_per_patient=2, icc=0.5)
    f, s = 2, 2
    found = design.covariance([0.03, 0.0], 300)
    self.assertEqual(found.shape, (f, s, f, s))
    flat = found.reshape(f * s, f * s)
    np.testing.assert_allclose(flat, flat.T)
    self.assertGreater(np.linalg.eigvalsh(flat).min(), -1e-15)
    # What two differences have of one another cancels in any closed loop.
    loop = np.array([1, -1, -1, 1])
    self.assertAlmostEqual(loop @ flat @ loop, 0, places=15)

  def test_auroc(self):
    np.testing.assert_allclose(
      binormal().auroc([0.03, -0.1]), [0.83, 0.70, 0.80, 0.78]
    )
    np.testing.assert_allclose(binormal().behind, [0, 0.02])

  def test_what_makes_a_study_larger(self):
    base = needed()
    for changed in (
      {'prevalence': 0.1},
      {'correlation_fusion_single': 0.4},
      {'fusions': ('a', 'b', 'c', 'd', 'e')},
      {'auroc_single': (0.80, 0.80)},
      {'studies_per_patient': 1.0, 'folds': 5},
    ):
      more = needed(**changed)
      self.assertGreater(more[0], base[0], changed)
    for changed in (
      {'studies_per_patient': 2.0, 'icc': 0.2},
      {'correlation_fusion_single': 0.75},
    ):
      fewer = needed(**changed)
      self.assertLess(fewer[0], base[0], changed)
      self.assertLess(fewer[1], base[1], changed)

  def test_folds_cost_the_square_of_the_factor(self):
    one, five = needed(), needed(folds=5)
    expected = dependence.FACTOR**2
    self.assertAlmostEqual(five[0] / one[0], expected, delta=0.02)
    self.assertAlmostEqual(five[1] / one[1], expected, delta=0.02)

  def test_studies_alike_add_nothing(self):
    one, copies = needed(), needed(studies_per_patient=3, icc=1.0)
    self.assertAlmostEqual(copies[0] / one[0], 1, delta=0.02)

  def test_notes(self):
    design = binormal(studies_per_patient=1.5, icc=0.3, folds=5)
    found = planning.plan(design, gains=(0.03, 0.0), margin=MARGIN)
    text = ' '.join(design.notes(found.superior))
    self.assertIn('With 5 folds that is everybody', text)
    self.assertRegex(
      text, r'have by 1\.16 \(design effect of the scores: 1\.2\)'
    )
    self.assertRegex(text, r'standard error 1\.00\d times')
    text = ' '.join(binormal().notes(found.superior))
    self.assertIn('With one held-out part', text)

  @parameterized.parameters(
    ({'auroc_single': (1.0, 0.8)}, 'auroc_single=1: .* between 0.5 and 1'),
    ({'auroc_single': (0.4, 0.8)}, 'auroc_single=0.4'),
    (
      {'auroc_single': (0.8,)},
      'auroc_single has 1 value for 2 single modalities',
    ),
    ({'auroc_single': (), 'singles': ()}, 'at least one single modality'),
    ({'fusions': ()}, 'at least one fusion arm'),
    ({'fusions': ('ehr', 'late')}, "'ehr' is named twice"),
    ({'prevalence': 0.0}, 'prevalence=0: .* between 0 and 1'),
    ({'prevalence': float('nan')}, 'prevalence=nan'),
    ({'icc': 1.1}, 'icc=1.1: expected a number from 0 to 1'),
    ({'studies_per_patient': 0.5}, 'studies_per_patient=0.5'),
    ({'folds': 0}, 'folds=0'),
    ({'folds': 10**30}, r'folds=1\d+: expected 1 .* to 1000'),
    ({'fusions': tuple(map(str, range(300)))}, 'at most 100 can be'),
    ({'correlation_fusion': 1.0}, 'correlation_fusion=1: .* between -1 and 1'),
    ({'correlation_single': -1.0}, 'correlation_single=-1'),
    (
      {'fusions': ('a', 'b', 'c'), 'correlation_fusion': -0.6},
      'correlation_fusion=-0.6: 3 fusion arms .* expected more than -0.5',
    ),
    (
      {'correlation_fusion_single': 0.95},
      'with 2 single modalities correlated by 0.5 and 2 fusion arms by 0.8 it '
      'has to lie between -0.821 and 0.821',
    ),
  )
  def test_bad(self, changed, message):
    with self.assertRaisesRegex(errors.UserError, message):
      binormal(**changed)

  @parameterized.product(
    fusions=[('a',), ('a', 'b'), ('a', 'b', 'c', 'd')],
    correlation_single=[-0.5, 0.0, 0.5],
    correlation_fusion=[-0.2, 0.8],
    correlation_fusion_single=[-0.6, 0.3, 0.5, 0.7, 0.9],
  )
  def test_legal_is_positive_definite(self, **given):
    try:
      design = binormal(**given)
    except errors.UserError:
      f, s = len(given['fusions']), 2
      matrix = np.full((f + s, f + s), given['correlation_fusion_single'])
      matrix[:f, :f] = given['correlation_fusion']
      matrix[f:, f:] = given['correlation_single']
      np.fill_diagonal(matrix, 1)
      self.assertLess(np.linalg.eigvalsh(matrix).min(), 1e-9)
    else:
      self.assertGreater(np.linalg.eigvalsh(design.correlation).min(), 0)

  def test_gain_too_large(self):
    with self.assertRaisesRegex(errors.UserError, 'gain=0.3: over an AUROC'):
      planning.plan(binormal(), gains=(0.3, 0.0), margin=MARGIN)


if __name__ == '__main__':
  absltest.main()
