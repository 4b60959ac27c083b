"""Speed of training beside a bare step, and memory of a streamed cohort.

  python -m experiments.studies.training_benchmark
  python -m experiments.studies.training_benchmark --studies=100000

Prints a Markdown table: how fast the library trains, from a cohort on the
device and from one that is streamed, over the speed of a step written by hand
for the same model, called in a loop on one batch that is on the device. All
three take turns, and what is given is the median of the ratios of a turn. With
--studies, prints instead how much memory an epoch of so many streamed images
takes at most.
"""

import importlib.metadata
import os
import pathlib
import platform
import resource
import statistics
import tempfile
import time

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from absl import flags

from fusion_jax.core import errors, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as data_config
from fusion_jax.data import kind as kind_lib
from fusion_jax.data import modality as modality_lib
from fusion_jax.data.kinds import image, table
from fusion_jax.fusion import model as models
from fusion_jax.launch import launch
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import memory
from fusion_jax.training import batches, neural
from fusion_jax.training import config as training_config

_STUDIES = flags.DEFINE_integer(
  'studies', 0, 'Stream so many, and report memory instead of speed.'
)
_ROUNDS = flags.DEFINE_integer('rounds', 30, 'Turns of each way.')
_STEPS = flags.DEFINE_integer(
  'steps', 0, 'Steps of a turn; 0 for 8 of a ResNet and 64 of an MLP.'
)
_SIDE = flags.DEFINE_integer('side', 64, 'Pixels of a side.')

_COLUMNS = 30
_VALID = 64
_NAME = 'x'
_TASK = types.Task(types.BINARY, ('y',))
_BLOCK = 1000
# What a script written by hand would do as well: neither a moving average nor
# random changes of images.
_RATE, _DECAY, _CLIP = 1e-3, 0.05, 1.0


def _images(n: int, folder: pathlib.Path) -> image.Data:
  """Pixels in a file that is mapped, brighter where the label is 1."""
  side = _SIDE.value
  shape = (n, 1, side, side, 1)
  pixels = np.lib.format.open_memmap(
    folder / 'pixels.npy', mode='w+', dtype=np.uint8, shape=shape
  )
  rng = np.random.default_rng(0)
  for start in range(0, n, _BLOCK):
    block = pixels[start : start + _BLOCK]
    block[:] = rng.integers(0, 200, block.shape, np.uint8)
    block += (40 * _labels(n)[start : start + _BLOCK]).astype(np.uint8)[
      :, None, None, None
    ]
  pixels.flush()
  return image.Data(
    np.load(folder / 'pixels.npy', mmap_mode='r', allow_pickle=False),
    np.ones((n, 1), bool),
  )


def _columns(n: int) -> table.Data:
  x = np.random.default_rng(0).normal(size=(n, _COLUMNS)) + _labels(n)
  names = tuple(f'column {k}' for k in range(_COLUMNS))
  return table.Data(x, names, np.zeros((n, 0), object), (), {})


def _labels(n: int) -> np.ndarray:
  """(n, 1), 0 and 1 in turns."""
  return (np.arange(n) % 2).astype(np.float64)[:, None]


def _setup(kind_name: str, data, encoder: str):
  """Arguments of `neural.begin` and `neural.fit_fleet` that the data decide."""
  kind = kind_lib.get(kind_name)
  modality = modality_lib.Modality.of(kind_name, kind.side, data)
  n = len(modality)
  train = np.arange(n - _VALID)
  fitted = kind.fit(modality, train, data_config.PreprocessConfig())
  part = batches.Part(
    kind_name,
    derived=kind.derived(fitted, data),
    constants=kind.constants(fitted),
  )
  names = np.char.mod('%d', np.arange(n))
  cohort = cohort_lib.Cohort(
    name='benchmark',
    task=_TASK,
    digest='benchmark',
    study=names,
    patient=names,
    labels=_labels(n),
    modalities={_NAME: modality},
  )
  built = models.EncoderConfig(
    kind_name, encoder, tuple(kind.given(fitted).items())
  )
  return {
    'model_config': models.ModelConfig(((_NAME, built),), 'concat'),
    'task': _TASK,
    'data': batches.FleetData(cohort, (batches.Source({_NAME: part}),)),
    'members': [neural.Member(train, np.arange(n - _VALID, n), seed=0)],
  }


def _config(batch: int) -> training_config.TrainingConfig:
  return training_config.TrainingConfig(
    batch_size=batch,
    epochs=1,
    least_steps=0,
    learning_rate=_RATE,
    weight_decay=_DECAY,
    clip_norm=_CLIP,
    average=0.0,
    augment=False,
  )


def _parallel(feed: str) -> parallel_config.ParallelConfig:
  return parallel_config.ParallelConfig(devices=1, feed=feed)


def _ours(setup, config, feed: str):
  """A call that trains an epoch, and waits."""
  going, _ = neural.begin(**setup, config=config, parallel=_parallel(feed))
  going.start()
  epoch = 0

  def run():
    nonlocal epoch
    epoch += 1
    for _ in going.train(epoch):
      pass
    going.stopped()  # Waits for the last step.

  return run


def _bare(setup, batch: int, steps: int):
  """A call that takes as many steps of a plain script, and waits."""
  model = models.create_model(setup['model_config'], _TASK)
  rows = batches.RowPlan(
    rows=np.arange(batch, dtype=np.int32), weight=np.ones(batch, np.float32)
  )
  fed = batches.gather(batches.make_resident(setup['data']), 0, rows)
  fed = jax.device_put(fed)
  optimizer = optax.chain(
    optax.clip_by_global_norm(_CLIP),
    optax.adamw(_RATE, weight_decay=_DECAY),
  )

  def start():
    params = model.init(jax.random.key(0), fed)['params']
    return params, optimizer.init(params), jnp.int32(0)

  def step(state, batch):
    params, moments, number = state

    def loss(params):
      (logits, _), _ = model.apply(
        {'params': params},
        batch,
        train=True,
        rngs={'dropout': jax.random.fold_in(jax.random.key(1), number)},
        mutable=[],
      )
      return optax.sigmoid_binary_cross_entropy(logits, batch.labels).mean()

    value, gradients = jax.value_and_grad(loss)(params)
    updates, moments = optimizer.update(gradients, moments, params)
    return (optax.apply_updates(params, updates), moments, number + 1), value

  compiled = jax.jit(step, donate_argnums=0)
  state = jax.jit(start)()

  def run():
    nonlocal state
    for _ in range(steps):
      state, _ = compiled(state, fed)
    jax.block_until_ready(state)

  return run


def _ratios(calls) -> tuple[list[float], list[float]]:
  """Median seconds of each call, and median ratio of the first one's to it."""
  for call in calls:
    call()
  seconds: list[list[float]] = [[] for _ in calls]
  for _ in range(_ROUNDS.value):
    for call, found in zip(calls, seconds, strict=True):
      start = time.perf_counter()
      call()
      found.append(time.perf_counter() - start)
  first = seconds[0]
  return (
    [statistics.median(x) for x in seconds],
    [
      statistics.median(a / b for a, b in zip(first, x, strict=True))
      for x in seconds
    ],
  )


def _speed(folder: pathlib.Path) -> None:
  print(
    '| model | bare step | resident | streamed | resident / bare | streamed / '
    'bare |\n| --- | --- | --- | --- | --- | --- |'
  )
  for name, batch, steps in (
    (f'compact ResNet, {_SIDE.value} px, batch 32', 32, _STEPS.value or 8),
    (f'MLP, {_COLUMNS} columns, batch 256', 256, _STEPS.value or 64),
  ):
    n = batch * steps + _VALID
    setup = (
      _setup(image.NAME, _images(n, folder), 'resnet')
      if batch == 32
      else _setup(table.NAME, _columns(n), 'mlp')
    )
    config = _config(batch)
    seconds, ratios = _ratios(
      [
        _bare(setup, batch, steps),
        _ours(setup, config, memory.RESIDENT),
        _ours(setup, config, memory.STREAM),
      ]
    )
    shown = ' | '.join(f'{1e3 * s / steps:.2f} ms' for s in seconds)
    print(
      f'| {name} | {shown} | {ratios[1]:.3f} | {ratios[2]:.3f} |', flush=True
    )


def _memory(folder: pathlib.Path) -> None:
  setup = _setup(image.NAME, _images(_STUDIES.value, folder), 'resnet')
  start = time.perf_counter()
  neural.fit_fleet(
    **setup, config=_config(32), parallel=_parallel(memory.STREAM)
  )
  seconds = time.perf_counter() - start
  # In kilobytes, on Linux.
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
  size = (folder / 'pixels.npy').stat().st_size / 1e9
  print(
    '| studies | file | one epoch | peak resident memory |\n'
    '| --- | --- | --- | --- |\n'
    f'| {_STUDIES.value:,} x {_SIDE.value} px | {size:.2f} GB | '
    f'{seconds:.0f} s | {peak:.2f} GB |'
  )


def _run() -> int:
  for name, value, least in (
    ('studies', _STUDIES.value, 0),
    ('rounds', _ROUNDS.value, 1),
    ('steps', _STEPS.value, 0),
    ('side', _SIDE.value, 8),
  ):
    if value < least:
      raise errors.UserError(f'--{name}={value}: expected at least {least}.')
  if 0 < _STUDIES.value < 2 * _VALID:
    raise errors.UserError(
      f'--studies={_STUDIES.value}: expected at least {2 * _VALID}.'
    )
  memory.require('This benchmark')
  device = jax.devices()[0]
  print(
    f'{platform.machine()}, {os.cpu_count()} cores, {device.device_kind}, '
    f'Python {platform.python_version()}, jax {jax.__version__}, flax '
    f'{flax.__version__}, optax {optax.__version__}, numpy {np.__version__}, '
    f'grain {importlib.metadata.version("grain")}\n'
  )
  with tempfile.TemporaryDirectory() as folder:
    (_memory if _STUDIES.value else _speed)(pathlib.Path(folder))
  return 0


if __name__ == '__main__':
  launch.main(_run)
