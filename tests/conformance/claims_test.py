"""What registered parts claim of interactions and of absent modalities.

The full form is `python -m experiments.studies.methods`; here parts and
encoders are small, and all trainings of a part are one program of a few steps.
That is too little to prove a claim, and enough to refute it: interactions are
to be learnt by the best of the seeds, at least in four times as many steps, and
an absent modality must not be shown to cost more than it may.
"""

import functools
import pathlib
from unittest import mock

import pytest
from absl.testing import absltest, parameterized

from experiments.studies.zoo import quick, scores, subjects, work
from tests.conformance import samples  # noqa: F401 (parts of other packages)

CLAIMING = [
  x for x in subjects.every() if x.interactions is not None or x.missing
]


@functools.cache
def _work() -> work.Work:
  # Nothing is kept there: only `row` writes.
  return work.Work(pathlib.Path('none'), quick.SETTING, small=True)


@functools.cache
def _singles():
  return _work().singles(work.TWO, keep=False)


@pytest.mark.slow
class ClaimsTest(parameterized.TestCase):
  def test_best_scores_leave_room(self):
    ground = _work().ground(work.TWO)
    for trial in _singles().values():
      found = scores.synergy(ground, trial)
      self.assertGreaterEqual(found.oracle, scores.LEAST_ORACLE)
      self.assertLess(abs(found.auroc - scores.CHANCE), scores.MOST_FROM_CHANCE)

  def best(self, found):
    """That of the best seed alone."""
    return scores.Synergy(max(found.by_seed), found.by_seed, found.oracle)

  @parameterized.named_parameters((x.key, x) for x in CLAIMING)
  def test_does_what_it_claims(self, subject):
    ground = _work().ground(work.TWO)
    trial = _work().trial(subject, work.TWO)
    found = scores.synergy(ground, trial)
    if subject.interactions:
      if self.best(found).share < scores.LEAST_SHARE:
        with mock.patch.object(quick, 'STEPS', 4 * quick.STEPS):
          longer = _work().trial(subject, work.TWO)
        found = scores.synergy(ground, longer)
      self.assertGreaterEqual(self.best(found).share, scores.LEAST_SHARE, found)
    elif subject.interactions is False:
      away = abs(found.auroc - scores.CHANCE)
      self.assertLessEqual(away, scores.MOST_FROM_CHANCE, found)
    gained = scores.gained(ground, trial, _singles(), share=quick.SETTING.share)
    for x in gained:
      if x.where in subject.missing:
        self.assertGreater(x.high, -scores.LOSS_ALLOWED, x)


if __name__ == '__main__':
  absltest.main()
