"""What a fusion model makes of every imaging side with every record side.

For n studies the grid holds f(imaging of i, record of j) for all i and j; the
modalities of a side stay together. Everything
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

from fusion_jax.ablation import classical_learners, neural_learner, rule_learner
from fusion_jax.ablation import learner as learner_lib
from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import modality as modality_lib
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


@functools.singledispatch
def logits(
  learner: learner_lib.Learner,
  trained: learner_lib.Trained,
  inputs: learner_lib.Inputs,
) -> np.ndarray:
  """(n, n, s) float64; entry [i, j]: the imaging of i with the record of j.

  Args:
    learner: of an arm of both sides.
    trained: its models.
    inputs: what they see of n studies; with all their upstream logits.
  """
  raise TypeError(f'No grid of pairs for {type(learner).__name__}.')


@logits.register
def _of_rule(learner: rule_learner.Rule, trained, inputs):
  n = len(inputs.cohort)
  found = _rule(trained.models[0], learner.arm.terms, inputs)
  return found.reshape(n, n, -1)


@logits.register
def _of_network(learner: neural_learner.Neural, trained, inputs):
  if _create(learner.model_config(inputs), learner.task).exchanges:
    return whole(learner, trained, inputs)
  return _mean(_neural, learner, trained, inputs)


@logits.register
def _of_table(learner: classical_learners.Classical, trained, inputs):
  return _mean(_classical, learner, trained, inputs)


def _mean(run, learner, trained, inputs):
  n = len(inputs.cohort)
  each = [run(learner, m, inputs, h) for h, m in enumerate(trained.models)]
  return learner.mean(each).reshape(n, n, -1)


def whole(
  learner: learner_lib.Learner,
  trained: learner_lib.Trained,
  inputs: learner_lib.Inputs,
) -> np.ndarray:
  """Like `logits`, by running the whole model on all n^2 pairs."""
  n = len(inputs.cohort)
  found = []
  for at in _chunks(inputs.cohort, _WHOLE_PAIRS):
    seen = _paired(inputs, at)
    rows = np.arange(len(next(iter(at.values()))))
    found += learner.logits([trained], [seen], [rows])
  return np.concatenate(found).reshape(n, n, -1)


def _chunks(cohort: cohort_lib.Cohort, size: int):
  """By modality, the studies of the pairs [i, j], in order."""
  n = len(cohort)
  for start in range(0, n * n, size):
    pair = np.arange(start, min(start + size, n * n))
    yield {
      m: pair // n if x.side == modality_lib.IMAGING else pair % n
      for m, x in cohort.modalities.items()
    }


def _paired(inputs, at) -> learner_lib.Inputs:
  """Inputs of studies made of one's imaging and another's record."""
  cohort = inputs.cohort
  made = cohort.unlabelled(
    {m: x.take(at[m]) for m, x in cohort.modalities.items()}
  )
  return learner_lib.Inputs(
    made,
    inputs.fitted,
    {m: tuple(x[at[m]] for x in f) for m, f in inputs.features.items()},
    {m: x[at[m]] for m, x in inputs.logits.items()},
  )


def _rule(rule, terms, inputs) -> np.ndarray:
  present = {
    term: np.any([inputs.cohort.present[m] for m in modalities], axis=0)
    for term, (_, modalities) in terms.items()
  }
  return np.concatenate(
    [
      rule.apply(
        {m: x[at[m]] for m, x in inputs.logits.items()},
        {m: present[m][at[m]] for m in inputs.logits},
      )
      for at in _chunks(inputs.cohort, _PAIRS)
    ]
  )


def _classical(learner, model, inputs, half) -> np.ndarray:
  blocks = learner.blocks(inputs, half)
  return np.concatenate(
    [
      model.logits(
        np.concatenate([x[at[m]] for m, (x, _) in blocks.items()], axis=1)
      )
      for at in _chunks(inputs.cohort, _PAIRS)
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
  for at in _chunks(inputs.cohort, _PAIRS):
    pairs = len(next(iter(at.values())))
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
    size = next(iter(at.values())).shape[0]
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
