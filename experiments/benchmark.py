"""Speed ratios of this machine, side by side in one run.

  python -m experiments.benchmark

Prints a Markdown table: how much faster each choice of the library is than the
plain way of doing the same, both measured here and now.
"""

import platform
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.metrics

from experiments import launch
from fusion_jax.encoders.image import convolution
from fusion_jax.evaluation import ranking

_REPEATS = 5


def _seconds(f) -> float:
  """Median seconds of a call after a first one."""
  f()
  found = []
  for _ in range(_REPEATS):
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


def _run() -> int:
  device = jax.devices()[0]
  print(
    f'{platform.machine()}, {device.device_kind}, Python '
    f'{platform.python_version()}, jax {jax.__version__}, numpy '
    f'{np.__version__}\n'
  )
  print('| what | plain | here | ratio |\n| --- | --- | --- | --- |')
  for measure in (_convolution_gradients, _bootstrap):
    name, plain, ours = measure()
    print(
      f'| {name} | {1e3 * plain:.1f} ms | {1e3 * ours:.1f} ms | '
      f'{plain / ours:.1f} |'
    )
  return 0


if __name__ == '__main__':
  launch.main(_run)
