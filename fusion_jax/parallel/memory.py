"""Whether a cohort's arrays lie on the devices or are fed from the host."""

import dataclasses
import functools
import importlib.util
import pathlib
import re

import jax

from fusion_jax.core import errors
from fusion_jax.parallel import config as parallel_config

RESIDENT = 'resident'
STREAM = 'stream'
AUTO = 'auto'
FEEDS = (AUTO, RESIDENT, STREAM)

_GIB = 1 << 30
# Of a device's memory: models, optimizers and activations need the rest.
_DEVICE_SHARE = 0.5
# Of the host's free memory, where the device is the host: the arrays are there
# once more already, and other programs want some.
_HOST_SHARE = 0.3


def require(ability: str) -> None:
  """Checks that what reads ahead is installed.

  Raises:
    MissingPackageError: without Grain, which `ability` needs.
  """
  if importlib.util.find_spec('grain') is None:
    raise errors.MissingPackageError(ability, 'grain', extra='stream')


def decided(
  config: parallel_config.ParallelConfig, arrays: int
) -> tuple[parallel_config.ParallelConfig, str]:
  """`config` with 'auto' as one of the other feeds, and a line if it streams.

  Args:
    config: of the devices.
    arrays: bytes that the arrays of the cohort take on a device.

  Raises:
    UserError: where the arrays are too large and cannot be streamed.
  """
  if config.feed != AUTO:
    return config, ''
  if config.memory_limit:
    limit, of = config.memory_limit * _GIB, 'parallel.memory_limit'
  else:
    limit, of = _limit()
  if limit is None or arrays <= limit:
    return dataclasses.replace(config, feed=RESIDENT), ''
  why = (
    f"The cohort's arrays take {arrays / _GIB:.2g} GiB, more than "
    f'{limit / _GIB:.2g} GiB ({of})'
  )
  if config.strategy != 'jit':
    raise errors.UserError(
      f'{why}: they would be streamed, which needs parallel.strategy=jit, not '
      f"'{config.strategy}'; or raise parallel.memory_limit."
    )
  require(f'{why}, and parallel.feed={STREAM}')
  return (
    dataclasses.replace(config, feed=STREAM),
    f'{why}: batches are streamed from the host.',
  )


@functools.cache
def _limit() -> tuple[float | None, str]:
  """Bytes that arrays may take, and of what; None where nobody knows.

  Asked once: what is placed later must not count against its next use.
  """
  device = jax.local_devices()[0]
  if device.platform == 'cpu':
    free = _free_on_host()
    if free is None:
      return None, ''
    return _HOST_SHARE * free, f'{_HOST_SHARE:.0%} of the free memory'
  stats = device.memory_stats() or {}
  if 'bytes_limit' not in stats:
    return None, ''
  return (
    _DEVICE_SHARE * stats['bytes_limit'],
    f"{_DEVICE_SHARE:.0%} of the device's memory",
  )


def _free_on_host() -> int | None:
  """Bytes that this process could have without swapping (Linux)."""
  found = re.search(r'MemAvailable: +(\d+) kB', _read('/proc/meminfo'))
  if not found:
    return None
  free = int(found[1]) << 10
  # What a container or a job of a cluster is allowed.
  allowed = _read('/sys/fs/cgroup/memory.max').strip()
  return min(free, int(allowed)) if allowed.isdigit() else free


def _read(path: str) -> str:
  try:
    return pathlib.Path(path).read_text(encoding='ascii')
  except OSError:
    return ''
