import os
import pathlib
import subprocess
import sys

from absl.testing import absltest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = """
import jax
from fusion_jax.parallel import cache
cache.keep_compiled_programs()
print(jax.config.jax_compilation_cache_dir)
"""


class CacheTest(absltest.TestCase):
  def folder(self, **environment):
    clean = {
      k: v for k, v in os.environ.items() if k != 'JAX_COMPILATION_CACHE_DIR'
    }
    return subprocess.run(
      [sys.executable, '-c', PROGRAM],
      env={**clean, **environment},
      cwd=ROOT,
      check=True,
      capture_output=True,
      text=True,
    ).stdout.strip()

  def test_is_the_users_unless_one_is_named(self):
    self.assertEqual(
      self.folder(XDG_CACHE_HOME='/users/home'), '/users/home/fusion_jax/xla'
    )
    named = self.folder(JAX_COMPILATION_CACHE_DIR='/users/named')
    self.assertEqual(named, '/users/named')

  def test_none_without_a_home(self):
    self.assertEqual(self.folder(XDG_CACHE_HOME='', HOME='~nobody'), 'None')


if __name__ == '__main__':
  absltest.main()
