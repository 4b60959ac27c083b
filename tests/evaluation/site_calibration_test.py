"""Tests of calibration by site."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import predictions, site_calibration
from tests import tiny

N = 900
SITES = ('east', 'north', 'west')


def make(kind=types.BINARY, seed=0, models=2):
  """Scores that are calibrated at north, too high at east, extreme at west."""
  rng = np.random.default_rng(seed)
  task = tiny.task_of(kind)
  site = np.repeat(SITES, [300, 300, 300])
  z = 1.5 * rng.normal(size=(N, len(task.names)))
  y = (rng.random(z.shape) < 1 / (1 + np.exp(-z))).astype(float)
  z = z + (site == 'east')[:, None]
  z = np.where((site == 'west')[:, None], 2 * z, z)
  study = np.char.zfill(np.arange(N).astype(str), 4)
  order = rng.permutation(N)
  return (
    predictions.concat(
      [
        predictions.create(
          task=task,
          study_id=study[order],
          patient_id=np.char.add('p', (order // 2).astype(str)),
          arm='joint',
          fold=fold,
          part=predictions.TEST,
          labels=y[order],
          scores=1 / (1 + np.exp(-z[order] * (1 + fold))),
        )
        for fold in range(models)
      ]
    ),
    study,
    site,
  )


def call(p, study, site, **options):
  settings = {'replicates': 200} | options.pop('settings', {})
  return site_calibration.by_site(
    p,
    study=study,
    site=site,
    arms=['joint'],
    config=config_lib.EvaluationConfig(**settings),
    **options,
  )


class SiteCalibrationTest(parameterized.TestCase):
  def test_each_site_has_its_own(self):
    p, study, site = make(models=1)
    order = np.random.default_rng(1).permutation(N)
    found = call(p, study[order], site[order])
    self.assertEqual([x['site'] for x in found], list(SITES))
    for x, slope, intercept in zip(
      found, (1, 1, 0.5), (-1, 0, None), strict=True
    ):
      self.assertEqual(x['studies'], 300)
      self.assertEqual(x['patients'], 150)
      at = np.isin(p.study_id, study[site == x['site']])
      self.assertEqual(x['events'], p.labels[at].sum())
      entries = x['arms']['joint']
      for name, truth in (
        ('calibration_slope', slope),
        ('calibration_intercept', intercept),
      ):
        if truth is None:
          continue
        self.assertLess(entries[name]['low'], truth)
        self.assertGreater(entries[name]['high'], truth)
    east, north, _ = (x['arms']['joint'] for x in found)
    self.assertLess(east['calibration_intercept']['high'], 0)
    self.assertGreater(north['calibration_slope']['low'], 0.7)
    self.assertLess(found[2]['arms']['joint']['calibration_slope']['high'], 0.8)

  def test_the_mean_over_models(self):
    p, study, site = make(models=2)
    both = call(p, study, site)
    alone = [
      call(p.take(np.flatnonzero(p.fold == k)), study, site) for k in (0, 1)
    ]
    for x, a, b in zip(both, *alone, strict=True):
      slopes = [e['arms']['joint']['calibration_slope'] for e in (x, a, b)]
      self.assertAlmostEqual(
        slopes[0]['estimate'],
        (slopes[1]['estimate'] + slopes[2]['estimate']) / 2,
      )
      # The second model's log odds are twice the first one's, but for those
      # that are held within `calibration.CLIP` of 0 and 1.
      self.assertAlmostEqual(
        slopes[1]['estimate'], 2 * slopes[2]['estimate'], delta=0.01
      )

  def test_a_factor_widens(self):
    p, study, site = make()
    for a, b in zip(
      call(p, study, site), call(p, study, site, factor=1.2), strict=True
    ):
      a, b = (x['arms']['joint']['calibration_slope'] for x in (a, b))
      self.assertAlmostEqual(b['high'] - b['low'], 1.2 * (a['high'] - a['low']))

  def test_small_sites_have_no_numbers(self):
    p, study, site = make()
    site = site.copy()
    site[:6] = 'tiny'
    found = {x['site']: x for x in call(p, study, site)}
    self.assertEqual(found['tiny']['suppressed'], '3 patients, fewer than 20')
    self.assertEqual(found['tiny']['arms'], {})
    self.assertIsNone(found['east']['suppressed'])
    found = call(p, study, site, settings={'min_events': 290})
    self.assertTrue(all(x['suppressed'] for x in found))

  def test_labels_apart_without_those_who_lack_them(self):
    p, study, site = make(types.MULTILABEL)
    labels = p.labels.copy()
    blank = np.isin(p.study_id, study[site == 'east'][:290])
    labels[blank, 1] = np.nan
    found = call(dataclasses.replace(p, labels=labels), study, site)
    entries = {(x['label'], x['site']): x for x in found}
    self.assertLen(entries, 6)
    self.assertEqual(entries['x', 'east']['studies'], 300)
    self.assertEqual(entries['y', 'east']['studies'], 10)
    self.assertIsNotNone(entries['y', 'east']['suppressed'])
    # One label is what a binary table of it would give.
    one = dataclasses.replace(
      p,
      task=tiny.task_of(types.BINARY),
      labels=p.labels[:, :1],
      scores=p.scores[:, :1],
    )
    for x in call(one, study, site):
      self.assertEqual(x['arms'], entries['x', x['site']]['arms'])

  @parameterized.parameters(types.REGRESSION, types.SURVIVAL)
  def test_other_tasks_have_none(self, kind):
    n = 40
    names = np.arange(n).astype(str)
    task = tiny.task_of(kind)
    p = predictions.create(
      task=task,
      study_id=names,
      patient_id=names,
      arm='joint',
      part=predictions.TEST,
      labels=np.ones((n, 2 if kind == types.SURVIVAL else 1)),
      scores=np.ones((n, 1)),
    )
    self.assertEqual(call(p, names, np.repeat('a', n)), [])

  def test_scores_that_do_not_vary_have_a_reason(self):
    p, study, site = make(models=1)
    p = dataclasses.replace(p, scores=np.full_like(p.scores, 0.5))
    entry = call(p, study, site)[0]['arms']['joint']
    self.assertIsNone(entry['calibration_slope']['estimate'])
    self.assertNotEmpty(entry['calibration_slope']['reason'])
    self.assertIsNotNone(entry['calibration_intercept']['estimate'])


if __name__ == '__main__':
  absltest.main()
