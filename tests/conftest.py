"""The process every test runs in: eight simulated devices, a compile cache."""

import os
import pathlib
import sys

# These only count if they are set before jax is imported. NPROC=16 sizes the
# thread pool of XLA's CPU client: with fewer threads than simulated devices,
# collectives wait for each other until XLA aborts the process.
assert 'jax' not in sys.modules, 'jax was imported before tests/conftest.py'
os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault('NPROC', '16')
_DEVICES = '--xla_force_host_platform_device_count'
if _DEVICES not in os.environ.get('XLA_FLAGS', ''):
  os.environ['XLA_FLAGS'] = (
    f'{os.environ.get("XLA_FLAGS", "")} {_DEVICES}=8'.strip()
  )
os.environ.setdefault('MPLBACKEND', 'Agg')

_CACHE = pathlib.Path(
  os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
)
os.environ.setdefault(
  'JAX_COMPILATION_CACHE_DIR', str(_CACHE / 'fusion_jax' / 'xla_tests')
)
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0.2')


def pytest_configure(config):
  """Marks absl's flags as parsed, as `app.run` would have done."""
  del config
  from absl import flags

  flags.FLAGS.mark_as_parsed()
