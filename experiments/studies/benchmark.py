"""Speed ratios of this machine, side by side in one run.

  python -m experiments.studies.benchmark

Prints a Markdown table: how much faster each choice of the library is than the
plain way of doing the same, both measured here and now.
"""

import platform
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
import sklearn.metrics

from fusion_jax.core import types
from fusion_jax.encoders import convolution
from fusion_jax.evaluation import folds, ranking, resampling
from fusion_jax.launch import launch

_REPEATS = 5


def _seconds(f, repeats: int = _REPEATS) -> float:
  """Median seconds of a call after a first one."""
  f()
  found = []
  for _ in range(repeats):
    start = time.perf_counter()
    f()
    found.append(time.perf_counter() - start)
  return statistics.median(found)


def _convolution_gradients() -> tuple[str, float, float]:
  """20 gradients of a 3x3 convolution inside a loop."""
  x = jax.random.normal(jax.random.key(0), (32, 16, 16, 16))
  kernel = jax.random.normal(jax.random.key(1), (3, 3, 16, 16))
  padding = ((1, 1), (1, 1))

  def plain(x, kernel):
    return jax.lax.conv_general_dilated(
      x, kernel, (1, 1), padding, dimension_numbers=convolution.LAYOUT
    )

  def ours(x, kernel):
    return convolution.convolve(x, kernel, (1, 1), padding)

  def loop(convolve):
    def loss(kernel):
      return jnp.square(convolve(x, kernel)).sum()

    def body(_, kernel):
      return kernel - 1e-9 * jax.grad(loss)(kernel)

    run = jax.jit(lambda kernel: jax.lax.fori_loop(0, 20, body, kernel))
    return _seconds(lambda: jax.block_until_ready(run(kernel)))

  name = 'kernel gradient of a 3x3 convolution in a loop'
  return name, loop(plain), loop(ours)


def _bootstrap() -> tuple[str, float, float]:
  """20 weighted replicates of the AUROC of 6,000 studies."""
  rng = np.random.default_rng(0)
  labels = (rng.random(6000) < 0.2).astype(float)
  scores = rng.normal(size=6000) + labels
  weights = rng.multinomial(6000, np.full(6000, 1 / 6000), 20).astype(float)

  def plain():
    for w in weights:
      sklearn.metrics.roc_auc_score(labels, scores, sample_weight=w)

  def ours():
    return ranking.auroc(labels > 0, scores)(weights.T)

  np.testing.assert_allclose(
    ours()[0],
    sklearn.metrics.roc_auc_score(labels, scores, sample_weight=weights[0]),
  )
  return (
    '20 bootstrap replicates of an AUROC, n = 6,000',
    _seconds(plain),
    _seconds(ours),
  )


def _comparison() -> tuple[str, float, float]:
  """2,000 paired clustered replicates of 15 arms, 10,000 studies.

  The plain loop is measured on 4 replicates, all of which take the same time.
  """
  n, arms, replicates, few = 10_000, 15, 2_000, 4
  rng = np.random.default_rng(0)
  labels = (rng.random(n) < 0.2).astype(float)
  scores = rng.normal(size=(arms, n)) + labels
  patients = np.array([f'p{i // 2}' for i in range(n)])
  task = types.Task(types.BINARY, ('sick',))
  names = [f'arm{a}' for a in range(arms)]
  fold = folds.Fold(
    repeat=0,
    fold=0,
    study=np.array([f's{i:05}' for i in range(n)]),
    patient=patients,
    labels=labels[:, None],
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={
      name: {0: scipy.special.expit(s)[:, None]}
      for name, s in zip(names, scores, strict=True)
    },
  )
  drawn = resampling.draw(patients, replicates=replicates, seed=0)

  def plain():
    at = drawn.rows(patients)
    for r in range(few):
      w = drawn.counts[at, r]
      for s in scores:
        sklearn.metrics.roc_auc_score(labels, s, sample_weight=w)

  def ours():
    return resampling.replicate(
      task,
      [fold],
      arms=names,
      wanted=['auroc'],
      metric='auroc',
      resamples=resampling.draw(patients, replicates=replicates, seed=0),
    ).by_fold

  np.testing.assert_allclose(
    ours()[0, 0, 0],
    sklearn.metrics.roc_auc_score(
      labels, scores[0], sample_weight=drawn.counts[drawn.rows(patients), 0]
    ),
  )
  return (
    '2,000 paired clustered replicates of 15 AUROCs, n = 10,000',
    _seconds(plain, 1) * replicates / few,
    _seconds(ours, 1),
  )


def _run() -> int:
  device = jax.devices()[0]
  print(
    f'{platform.machine()}, {device.device_kind}, Python '
    f'{platform.python_version()}, jax {jax.__version__}, numpy '
    f'{np.__version__}\n'
  )
  print('| what | plain | here | ratio |\n| --- | --- | --- | --- |')
  for measure in (_convolution_gradients, _bootstrap, _comparison):
    name, plain, ours = measure()
    print(
      f'| {name} | {1e3 * plain:.1f} ms | {1e3 * ours:.1f} ms | '
      f'{plain / ours:.1f} |'
    )
  return 0


if __name__ == '__main__':
  launch.main(_run)
