"""What a fitted fusion model makes of every image with every record.

For n studies the grid holds f(image of i, EHR of j) for all i and j. Everything
that depends on one modality only is computed n times: encodings of neural
models, columns of classical ones, upstream predictions of late rules. Only the
head is run n^2 times. Models that exchange between encoders have no such head
and are run whole on all n^2 pairs.

EMAP, the empirical multimodally-additive projection (Hessel and Lee 2020,
EMNLP, "Does my multimodal model learn cross-modal interactions? It's harder to
tell than you might think!", equation 2 and proposition 1), is the sum of a
function of the image and one of the EHR that is nearest to f, in mean square
over the grid.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.ablation import arms as arms_lib
from fusion_jax.ablation import learner as learner_lib
from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.fusion import model as models
from fusion_jax.training import batches

# Pairs and studies that are computed at a time.
_PAIRS = 8192
_STUDIES = 64
_WHOLE_PAIRS = 512


def project(grid: np.ndarray) -> np.ndarray:
  """(n, s) EMAP of (n, n, s) logits at the n studies themselves.

  Mean over the EHRs that i's image is paired with, plus mean over the images
  that i's EHR is paired with, less the mean over all pairs.
  """
  return grid.mean(axis=1) + grid.mean(axis=0) - grid.mean(axis=(0, 1))


def logits(
  learner: learner_lib.Learner,
  trained: learner_lib.Trained,
  inputs: learner_lib.Inputs,
) -> np.ndarray:
  """(n, n, s) float64; entry [i, j] is for the image of i with the EHR of j.

  Args:
    learner: of an arm of both modalities.
    trained: its models.
    inputs: what they see of n studies; with all their upstream logits.
  """
  n = len(inputs.cohort)
  if learner.arm.learner == arms_lib.RULE:
    return _rule(trained.models[0], inputs).reshape(n, n, -1)
  if learner.arm.learner == arms_lib.NEURAL:
    if _create(learner.model_config(inputs), learner.task).exchanges:
      return whole(learner, trained, inputs)
    each = [
      _neural(learner, m, inputs, h) for h, m in enumerate(trained.models)
    ]
  else:
    each = [
      _classical(learner, m, inputs, h) for h, m in enumerate(trained.models)
    ]
  return learner.mean(each).reshape(n, n, -1)


def whole(
  learner: learner_lib.Learner,
  trained: learner_lib.Trained,
  inputs: learner_lib.Inputs,
) -> np.ndarray:
  """Like `logits`, by running the whole model on all n^2 pairs."""
  n = len(inputs.cohort)
  found = []
  for at in _chunks(n, _WHOLE_PAIRS):
    seen = _paired(inputs, at)
    rows = np.arange(len(at[types.IMAGE]))
    found += learner.logits([trained], [seen], [rows])
  return np.concatenate(found).reshape(n, n, -1)


def _chunks(n: int, size: int):
  """By modality, the studies of the pairs [i, j], in order."""
  for start in range(0, n * n, size):
    pair = np.arange(start, min(start + size, n * n))
    yield {types.IMAGE: pair // n, types.EHR: pair % n}


def _paired(inputs, at) -> learner_lib.Inputs:
  """Inputs of studies made of one's image and another's EHR."""
  cohort = inputs.cohort
  image, ehr = at[types.IMAGE], at[types.EHR]
  number = np.arange(len(image)).astype(str)
  made = cohort_lib.Cohort(
    name=cohort.name,
    task=cohort.task,
    digest=cohort.digest,
    study=number,
    patient=number,
    labels=np.full((len(image), cohort.task.num_labels), np.nan),
    images=cohort.images[image],
    image_mask=cohort.image_mask[image],
    numeric=cohort.numeric[ehr],
    numeric_names=cohort.numeric_names,
    categorical=cohort.categorical[ehr],
    categorical_names=cohort.categorical_names,
    orientation_free=cohort.orientation_free,
  )
  return learner_lib.Inputs(
    made,
    inputs.fitted,
    tuple(x[image] for x in inputs.features),
    {m: x[at[m]] for m, x in inputs.logits.items()},
  )


def _rule(rule, inputs) -> np.ndarray:
  present = inputs.cohort.present
  return np.concatenate(
    [
      rule.apply(
        {m: x[at[m]] for m, x in inputs.logits.items()},
        {m: present[m][at[m]] for m in inputs.logits},
      )
      for at in _chunks(len(inputs.cohort), _PAIRS)
    ]
  )


def _classical(learner, model, inputs, half) -> np.ndarray:
  blocks = learner.blocks(inputs, half)
  return np.concatenate(
    [
      model.logits(
        np.concatenate([x[at[m]] for m, (x, _) in blocks.items()], axis=1)
      )
      for at in _chunks(len(inputs.cohort), _PAIRS)
    ]
  )


def _neural(learner, model, inputs, half) -> np.ndarray:
  encode, head = _programs(learner.model_config(inputs), learner.task)
  n = len(inputs.cohort)
  resident = batches.make_resident(
    batches.FleetData(inputs.cohort, (learner.source(inputs, half),))
  )
  encoded = []
  # Padded, so that sets of studies of about one size share a program.
  rows = np.arange(-(-n // _STUDIES) * _STUDIES, dtype=np.int32)
  rows[n:] = 0
  for at in rows.reshape(-1, _STUDIES):
    plan = batches.RowPlan(rows=at, weight=np.ones(len(at), np.float32))
    encoded.append(encode(model.variables, resident, plan))
  features = jax.tree.map(lambda *x: jnp.concatenate(x), *encoded)
  present = {m: p[rows] for m, p in inputs.cohort.present.items()}
  found = []
  for at in _chunks(n, _PAIRS):
    pairs = len(at[types.IMAGE])
    at = {m: np.pad(x, (0, _PAIRS - pairs)) for m, x in at.items()}
    found.append(
      np.asarray(head(model.variables, features, present, at))[:pairs]
    )
  out = np.concatenate(found).astype(np.float64)
  return out * model.label_std + model.label_mean


@functools.cache
def _create(config: models.ModelConfig, task: types.Task) -> models.FusionModel:
  return models.create_model(config, task)


@functools.cache
def _programs(config: models.ModelConfig, task: types.Task):
  """Compiled functions for features of a batch and for logits of pairs.

  Raises:
    ValueError: for a model whose encoders exchange something.
  """
  model = _create(config, task)
  if model.exchanges:
    raise ValueError('Its encoders cannot be run one by one.')

  @jax.jit
  def encode(variables, resident, plan):
    batch = batches.gather(resident, 0, plan)
    return model.apply(variables, batch, train=False, method=model.encode)

  @jax.jit
  def head(variables, features, present, at):
    # What a combiner does not read of the features is never gathered.
    size = at[types.IMAGE].shape[0]
    batch = types.Batch(
      inputs={},
      present={m: p[at[m]] for m, p in present.items()},
      labels=jnp.zeros((size, task.num_labels)),
      label_mask=jnp.zeros((size, task.num_labels), bool),
      weight=jnp.ones(size),
      row=jnp.arange(size),
      features={
        m: jax.tree.map(lambda x, rows=at[m]: x[rows], f)
        for m, f in features.items()
      },
    )
    return model.apply(variables, batch)[0]

  return encode, head
