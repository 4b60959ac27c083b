"""Every mesh trains alike, batch statistics and absent studies included."""

import functools
import json
import os
import subprocess
import sys

import pytest
from absl.testing import absltest, parameterized

from tests.parallel import meshed

# Of the norm of what is compared.
TOLERANCE = 1e-5


@functools.cache
def _found():
  """What a process with four devices prints."""
  return json.loads(
    subprocess.run(
      [sys.executable, '-m', meshed.__name__],
      env={
        **os.environ,
        'JAX_PLATFORMS': 'cpu',
        # With fewer threads than devices, collectives wait for each other.
        'NPROC': '16',
        'XLA_FLAGS': '--xla_force_host_platform_device_count=4',
        'PYTHONPATH': os.pathsep.join(['.', *sys.path]),
      },
      check=True,
      stdout=subprocess.PIPE,
      timeout=1500,
    ).stdout
  )


# Sixteen programs are compiled.
@pytest.mark.slow
class MeshesTest(parameterized.TestCase):
  @parameterized.product(model=list(meshed.MODELS), mesh=list(meshed.MESHES))
  def test_a_step_is_that_of_each_member_on_one_device(self, model, mesh):
    found = _found()[model][mesh]
    self.assertGreater(found['norm'], 1e-3)
    for what in ('before', 'sums', 'gradients', 'collections', 'params'):
      self.assertLess(found[what], TOLERANCE, what)
    if 'fsdp' in mesh:
      self.assertGreater(found['cut'], 5)


if __name__ == '__main__':
  absltest.main()
