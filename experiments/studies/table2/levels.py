"""Row 7: at which level of abstraction each modality is joined."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from experiments.studies.table2 import claims, criteria, work
from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import learner as learner_lib
from fusion_jax.ablation import learners, neural_learner, views
from fusion_jax.data import config as data_config
from fusion_jax.data import preprocess, synthetic
from fusion_jax.fusion import model as models
from fusion_jax.training import backward, batches

INPUT, FEATURES, PREDICTION = 'input', 'learned features', 'prediction'
_STUDIES, _CHANNELS = 32, 8


def levels(arm: arm_lib.Arm) -> dict[str, str]:
  """By modality, what of it the arm joins with the other."""
  if learners.of(arm).joins:
    return dict.fromkeys(arm.modalities, PREDICTION)
  return {
    m: FEATURES
    if x.view == views.FEATURES or x.encoder not in ('', arm_lib.PLAIN)
    else INPUT
    for m, x in arm.inputs.items()
  }


@functools.cache
def _material():
  cohort = synthetic.make('complementary', n=_STUDIES, size=16)
  preprocessor = preprocess.Preprocessor(data_config.PreprocessConfig())
  return cohort, preprocessor.fit(cohort, np.arange(_STUDIES))


def reached(config: config_lib.ExperimentConfig, arm: arm_lib.Arm) -> list[str]:
  """Modalities whose encoder gets a gradient of the arm's own loss.

  The gradient is computed, of the untrained model on a few studies. Arms that
  are no networks have none.
  """
  if not learners.of(arm).encodes:
    return []
  cohort, fitted = _material()
  learner = neural_learner.Neural(
    arm, cohort.task, config.training, config.parallel
  )
  features = np.random.default_rng(0).standard_normal((_STUDIES, _CHANNELS))
  given = (features.astype(np.float32),)
  inputs = learner_lib.Inputs(
    cohort, fitted, dict.fromkeys(arm.second_stage, given)
  )
  data = batches.FleetData(cohort, (learner.source(inputs, 0),))
  rows = batches.RowPlan(
    rows=jnp.arange(_STUDIES),
    weight=jnp.ones(_STUDIES),
  )
  batch = batches.gather(batches.make_resident(data), 0, rows)
  model = models.create_model(learner.model_config(inputs), cohort.task)
  params = jax.jit(model.init)(jax.random.key(0), batch)['params']
  gradients = jax.jit(
    functools.partial(
      backward.loss_and_gradients,
      model=model,
      task=cohort.task,
      key=jax.random.key(1),
    )
  )(params, batch)[1]
  return [
    m
    for m in arm.modalities
    if any(
      float(jnp.abs(x).max()) > 0
      for x in jax.tree.leaves(gradients.get(f'encoders_{m}', {}))
    )
  ]


def run(at: work.Work) -> claims.Row:
  """Reads the arms' parts and computes gradients; nothing is trained."""
  del at
  config = config_lib.ExperimentConfig()
  checks = {}
  for strategy in claims.STRATEGIES:
    arms = {
      n: a for n, a in config.known_arms.items() if a.strategy == strategy
    }
    joined = {n: levels(a) for n, a in arms.items()}
    trained = {n: reached(config, a) for n, a in arms.items()}
    expected = criteria.holds(strategy == arm_lib.JOINT)
    unlike = [n for n, x in joined.items() if len(set(x.values())) > 1]
    fitting = [n for n, x in trained.items() if x]
    checks[strategy] = [
      claims.Check(
        ', '.join(unlike) or 'no arm',
        'joins the two at different levels',
        expected,
        criteria.holds(bool(unlike)),
        details={'levels': joined},
      ),
      claims.Check(
        ', '.join(fitting) or 'no arm',
        'learns a level for the join: its loss reaches an encoder',
        expected,
        criteria.holds(bool(fitting)),
        details={'reached': trained},
      ),
    ]
  return claims.Row(
    setup='Every fusion arm of the library: the parts it is made of, and the '
    'gradient of its loss in the parameters of its encoders; nothing is '
    'trained.',
    measure='the arms of which it is true',
    criterion='(a) an arm of the class joins one modality as input and the '
    "other as learned features; (b) the arm's own loss trains an encoder, so "
    'that the level is learned for the join',
    checks=checks,
  )
