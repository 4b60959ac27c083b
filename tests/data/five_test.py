import numpy as np
from absl.testing import absltest, parameterized
from scipy import special
from sklearn import linear_model, metrics

from fusion_jax.core import errors
from fusion_jax.data import config, duplicates, five, kind, preprocess, reader


def world(n=300, **changes):
  return reader.open_cohort(
    config.CohortConfig(name=five.NAME, n=n, image_size=16, **changes)
  )


class FiveTest(parameterized.TestCase):
  def test_the_same_for_the_same_seed(self):
    self.assertEqual(world().digest, world().digest)
    self.assertNotEqual(world().digest, world(seed=1).digest)

  def test_one_of_each_kind(self):
    kinds = {m.kind for m in world(20).modalities.values()}
    self.assertEqual(kinds, set(kind.KINDS.names()))

  def test_any_subset(self):
    cohort = world(20, modalities=('vitals', 'xray'))
    self.assertEqual(list(cohort.modalities), ['xray', 'vitals'])
    self.assertNotEqual(cohort.digest, world(20).digest)
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'vitals'"):
      world(20, modalities=('vital',))

  def test_what_means_nothing_is_refused(self):
    with self.assertRaisesRegex(errors.UserError, 'cohort.withhold=xray'):
      world(20, absent_images=0.5)
    with self.assertRaisesRegex(errors.UserError, 'only binary'):
      world(20, task='survival')

  def test_the_oracle_is_calibrated_and_grows_with_what_is_seen(self):
    cohort = world(6000)
    label = cohort.labels[:, 0]
    area = {
      k: metrics.roc_auc_score(label, x) for k, x in cohort.oracle.items()
    }
    for name, x in cohort.oracle.items():
      self.assertAlmostEqual(x.mean(), label.mean(), delta=0.02)
      # A slope of 1 and an intercept of 0: probabilities are what they say.
      logit = special.logit(x)[:, None]
      fit = linear_model.LogisticRegression(C=1e6).fit(logit, label)
      self.assertAlmostEqual(fit.coef_[0, 0], 1, delta=0.15, msg=name)
    self.assertGreater(area['both'], area['image'] + 0.05)
    self.assertGreater(area['both'], area['ehr'] + 0.05)
    self.assertGreater(area['image'], max(area['xray'], area['ct']))
    self.assertGreater(
      area['ehr'], max(area[m] for m in ('labs', 'vitals', 'note'))
    )

  @parameterized.parameters(*five.MODALITIES)
  def test_every_modality_can_be_learnt_from(self, name):
    cohort = world(1200)
    train = np.arange(800)
    fitted = preprocess.Preprocessor().fit(cohort, train)
    x = fitted.columns(cohort, name, kind.LINEAR).x
    label = cohort.labels[:, 0]
    model = linear_model.LogisticRegression(C=0.05, max_iter=2000)
    model.fit(x[train], label[train])
    area = metrics.roc_auc_score(label[800:], model.decision_function(x[800:]))
    best = metrics.roc_auc_score(label[800:], cohort.oracle[name][800:])
    self.assertGreater(area, 0.5 + 0.4 * (best - 0.5))
    self.assertLess(area, best + 0.03)

  def test_patients_do_not_look_the_same(self):
    cohort = world(1200)
    found = duplicates.find(cohort)
    alike = {*found.first.tolist(), *found.second.tolist()}
    # What is no alarm (audits.duplicates).
    self.assertLess(len(alike), 0.01 * len(cohort))


if __name__ == '__main__':
  absltest.main()
