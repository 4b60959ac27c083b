"""Models whose encoders stay as they were published."""

import jax
import numpy as np

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.training import batches, neural, pretrained
from fusion_jax.training import config as training_config
from fusion_jax.training import step as step_lib


def create(
  *,
  model_config: models.ModelConfig,
  task: types.Task,
  data: batches.FleetData,
  config: training_config.TrainingConfig,
) -> neural.FittedNeural:
  """A model whose encoders are as `config.init` has them.

  What has no published weights is drawn from a fixed key. The arguments are
  those of `fit_fleet`.

  Raises:
    UserError: for an encoder of which a part has to be learnt.
  """
  model = models.create_model(model_config, task)
  one = batches.RowPlan(np.zeros(1, np.int32), np.ones(1, np.float32))
  batch = batches.gather(batches.make_resident(data), 0, one)
  variables = jax.jit(model.init)(jax.random.key(0), batch)
  weights = pretrained.modules(config.init, variables) or {}
  for module, tree in weights.get('params', {}).items():
    if rest := variables['params'][module].keys() - tree.keys():
      raise errors.UserError(
        f"'{', '.join(sorted(rest))}' of the encoder has no published weights: "
        'take an encoder without it, such as one with pool=mean.'
      )
  own = {
    k: step_lib.with_modules(tree, weights.get(k, {}))
    for k, tree in variables.items()
  }
  own = jax.tree.map(np.asarray, own)
  params = own.pop('params')
  return neural.FittedNeural(
    params=params,
    collections=own,
    label_mean=0.0,
    label_std=1.0,
    epochs=0,
    best_epoch=0,
    valid_loss=float('nan'),
    history=(),
    failure='',
    parameters=sum(x.size for x in jax.tree.leaves(params)),
  )
