"""Encoders with published weights, as they are.

Nothing is trained: an arm of it gives other arms the features of its encoder,
and is the same in all folds and seeds. Its one node, whose key holds the
content of the cohort and of the weights, is where the features are kept, so
that the encoder runs once over each image of a run, whoever reads them.

No study of the cohort formed the encoder, so that second stages are trained on
the features of their whole training part (see learner.py for other encoders).
That published weights saw none of the cohort's images is for the user to know.
"""

from __future__ import annotations

import time

from fusion_jax.ablation import learner, neural_learner
from fusion_jax.core import errors
from fusion_jax.training import batches, untrained


class Pretrained(neural_learner.Neural):
  """A network whose encoder is as published."""

  random = False
  learns = False
  settings = ('init',)
  parts = {}
  space = {}

  def check(self, job):
    """No label is needed, but weights are.

    Raises:
      UserError: without them.
    """
    del job
    (modality,) = self.arm.modalities
    if not self._training.init:
      raise errors.UserError(
        f"there are no published weights for '{modality}': give "
        f'init=("{modality}=LAYOUT:PATH",).'
      )

  def fit(self, jobs, on_epoch=None):
    del on_epoch
    start = time.perf_counter()
    inputs = jobs[0].inputs
    model = untrained.create(
      model_config=self.model_config(inputs),
      task=self.task,
      data=batches.FleetData(inputs.cohort, (self.source(inputs, 0),)),
      config=self._training,
    )
    found = learner.Trained(
      models=(model,),
      parameters=self.parameters([model], inputs.fitted),
      seconds=time.perf_counter() - start,
    )
    return [found] * len(jobs)

  def encode(self, trained, inputs):
    # By the model, which all places of a run have in common.
    which = {id(t): k for k, t in enumerate(trained)}
    once = super().encode(
      [trained[k] for k in which.values()], [inputs[k] for k in which.values()]
    )
    made = dict(zip(which, once, strict=True))
    return [made[id(t)] for t in trained]

  def _data(self, pairs):
    # What a fold's preprocessing is fitted to has no part in it: weights bring
    # their own scaling, so that one source is enough.
    inputs, half = pairs[0]
    data = batches.FleetData(inputs.cohort, (self.source(inputs, half),))
    return data, [0] * len(pairs)
