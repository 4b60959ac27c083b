"""Holds the metadata against the tree, and imports against the environment."""

import ast
import configparser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import tomllib
import zipfile

import pytest
from absl.testing import absltest

import fusion_jax
from fusion_jax.training import pretrained
from tests import build_test, imports

# Needed by tensorflow-datasets, which does not declare it.
UNIMPORTED = ('importlib_resources',)

# Absent from some GPU images; training from a cached cohort needs none.
OPTIONAL = (
  'tensorflow_datasets',
  'grain',
  'array_record',
  'tensorflow',
  'nibabel',
  'openpyxl',
  'pydicom',
)

# Dear to import, so no business of a plain `import fusion_jax`.
# What tests of parity compare with where it is installed: gigabytes.
REFERENCES = {'torch', 'transformers', 'efficientnet_lite_pytorch'}
# Extras of weights that are read as files: nothing of them is imported.
WEIGHTS = {
  x.package.extra: x.package.name
  for x in map(pretrained.LAYOUTS.build, pretrained.LAYOUTS.names())
  if x.package
}
HEAVY = ('sklearn', 'matplotlib', 'scipy', 'pandas', 'pyarrow', *OPTIONAL)


def setup_cfg() -> configparser.ConfigParser:
  parser = configparser.ConfigParser()
  parser.read(imports.ROOT / 'setup.cfg')
  return parser


def requirements(text: str) -> set[str]:
  """Names of a requirements list, without bounds."""
  lines = [x.strip() for x in text.splitlines() if x.strip()]
  return {re.split(r'[<>=!~\[; ]', x)[0] for x in lines}


def extra(name: str) -> set[str]:
  """Names an extra stands for, extras of ours inside it opened."""
  text = setup_cfg()['options.extras_require'][name]
  nested = re.findall(r'fusion_jax\[(\w+)\]', text)
  found = requirements(text) - {'fusion_jax'}
  return found.union(*map(extra, nested))


def run_python(source: str, **environment) -> subprocess.CompletedProcess:
  return subprocess.run(
    [sys.executable, '-c', textwrap.dedent(source)],
    cwd=imports.ROOT,
    env={**os.environ, **environment},
    capture_output=True,
    text=True,
  )


# Run before the code under test: hides the optional packages, as if they were
# not installed.
BLOCK = f"""
import importlib.machinery
import sys

finder = importlib.machinery.PathFinder
find_spec = finder.find_spec

def hide(name, path=None, target=None):
  hidden = name.split('.')[0] in {OPTIONAL}
  return None if hidden else find_spec(name, path, target)

finder.find_spec = hide
"""


class MetadataTest(absltest.TestCase):
  def test_names_and_version(self):
    metadata = setup_cfg()['metadata']
    self.assertEqual(metadata['name'], 'fusion_jax')
    self.assertEqual(metadata['license'], 'Apache-2.0')
    self.assertEqual(metadata['version'], 'attr: fusion_jax.__version__')
    self.assertRegex(fusion_jax.__version__, r'^\d+\.\d+\.\d+$')

  def test_version_is_readable_without_importing(self):
    """Pip reads it where jax is not installed yet."""
    tree = ast.parse((imports.ROOT / 'fusion_jax/__init__.py').read_text())
    values = [
      ast.literal_eval(node.value)
      for node in tree.body
      if isinstance(node, ast.Assign) and node.targets[0].id == '__version__'
    ]
    self.assertEqual(values, [fusion_jax.__version__])

  def test_every_import_is_declared(self):
    options = setup_cfg()['options']
    core = requirements(options['install_requires'])
    extras = [x for x in setup_cfg()['options.extras_require']]
    optional = set().union(
      *(extra(x) for x in extras if x not in ('test', 'dev'))
    )
    undeclared = []
    for path in imports.python_files(*imports.OURS):
      of_tests = extra('test') | REFERENCES
      legal = core | (of_tests if path.startswith('tests/') else optional)
      source = (imports.ROOT / path).read_text()
      for module in imports.third_party(imports.parse(source, path=path)):
        name = build_test.DISTRIBUTIONS.get(module, module)
        if name not in legal:
          undeclared.append(f'{path}: {module}')
    self.assertEmpty(undeclared)

  def test_every_extra_serves_an_import(self):
    """No extra for an ability that does not exist."""
    used = set()
    for path in imports.python_files(*imports.PRODUCT):
      source = (imports.ROOT / path).read_text()
      used |= {
        build_test.DISTRIBUTIONS.get(x, x)
        for x in imports.third_party(imports.parse(source, path=path))
      }
    for name in setup_cfg()['options.extras_require']:
      if name in WEIGHTS:
        self.assertEqual(extra(name), {WEIGHTS[name]})
      elif name not in ('test', 'dev'):
        self.assertNotEmpty(extra(name) & used, name)

  def test_extras_build_on_each_other(self):
    self.assertLess(extra('test'), extra('dev'))
    self.assertIn('pytest', extra('test'))
    self.assertIn('ruff', extra('dev'))

  def test_every_package_is_found(self):
    """A folder without __init__.py would be left out of the wheel."""
    folders = {
      pathlib.PurePosixPath(x).parent
      for x in imports.python_files('fusion_jax')
    }
    lost = [
      x.as_posix()
      for x in folders
      if not (imports.ROOT / x / '__init__.py').is_file()
    ]
    self.assertEmpty(lost)

  def test_package_data_exists(self):
    for package, globs in setup_cfg()['options.package_data'].items():
      folder = imports.ROOT.joinpath(*package.split('.'))
      for pattern in globs.split():
        self.assertNotEmpty(list(folder.glob(pattern)), (package, pattern))

  def test_every_data_file_is_packed(self):
    packed = {
      path
      for package, globs in setup_cfg()['options.package_data'].items()
      for pattern in globs.split()
      for path in imports.ROOT.joinpath(*package.split('.')).glob(pattern)
    }
    lost = [
      x
      for x in imports.ROOT.joinpath('fusion_jax').rglob('*')
      if x.is_file() and x.suffix not in ('.py', '.pyc') and x not in packed
    ]
    self.assertEmpty(lost)

  def test_pytest_holds_warnings_for_errors(self):
    with open(imports.ROOT / 'pyproject.toml', 'rb') as f:
      options = tomllib.load(f)['tool']['pytest']['ini_options']
    self.assertEqual(options['filterwarnings'][0], 'error')

  def test_licence_is_complete(self):
    text = (imports.ROOT / 'LICENSE').read_text()
    for part in ('Version 2.0', '9. Accepting Warranty', 'APPENDIX'):
      self.assertIn(part, text)

  def test_ci_script_runs_as_it_is(self):
    script = imports.ROOT / '.ci/run'
    self.assertTrue(os.access(script, os.X_OK))
    subprocess.run(['bash', '-n', script], check=True)


class EnvironmentTest(absltest.TestCase):
  def test_import_is_cheap(self):
    result = run_python("""
      import sys
      import fusion_jax
      print(*{x.split('.')[0] for x in sys.modules})
    """)
    self.assertEqual(result.returncode, 0, result.stderr)
    loaded = set(result.stdout.split())
    self.assertIn('fusion_jax', loaded)
    self.assertEmpty(loaded & set(HEAVY))

  def test_blocking_blocks(self):
    result = run_python(BLOCK + 'import tensorflow_datasets')
    self.assertNotEqual(result.returncode, 0)
    self.assertIn("No module named 'tensorflow_datasets'", result.stderr)

  def test_every_module_imports_without_optional_packages(self):
    modules = [
      x.removesuffix('.py').removesuffix('/__init__').replace('/', '.')
      for x in imports.python_files(*imports.PRODUCT)
    ]
    result = run_python(
      BLOCK
      + f"""
import importlib
from absl import flags

for name in {modules}:
  importlib.import_module(name)
  # Launchers are programs of their own and use the same flag names.
  for module, found in list(flags.FLAGS.flags_by_module_dict().items()):
    if module.split('.')[0] in {imports.PRODUCT}:
      for flag in list(found):
        delattr(flags.FLAGS, flag.name)
"""
    )
    self.assertEqual(result.returncode, 0, result.stderr)

  @pytest.mark.slow
  def test_trains_without_optional_packages(self):
    out = self.create_tempdir().full_path
    result = run_python(
      BLOCK
      + f"""
import sys
sys.argv = ['ablate', '--arms=ehr,ehr_linear,late_mean,image', '--folds=2',
            '--set=cohort.n=120', '--set=cohort.image_size=16',
            '--set=training.epochs=1', '--set=training.least_steps=0',
            '--out={out}']
from fusion_jax.launch import command
command.main('ablate')
""",
      COLUMNS='100',
    )
    self.assertEqual(result.returncode, 0, result.stderr)
    summary = json.loads(pathlib.Path(out, 'summary.json').read_text())
    self.assertIn('late_mean', summary['arms'])


@pytest.mark.slow
class WheelTest(absltest.TestCase):
  """What is installed, away from the checkout."""

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.work = pathlib.Path(cls.enter_context(tempfile.TemporaryDirectory()))
    tree = cls.work / 'tree'
    # What a build leaves behind would be packed again by the next one.
    shutil.copytree(
      imports.ROOT, tree, ignore=shutil.ignore_patterns('.*', 'build', '*.egg*')
    )
    cls.pip('wheel', '--no-deps', f'--wheel-dir={cls.work}', tree)
    (cls.wheel,) = cls.work.glob('*.whl')
    cls.site = cls.work / 'site'
    cls.pip('install', '--no-deps', f'--target={cls.site}', cls.wheel)

  @staticmethod
  def pip(*arguments):
    done = subprocess.run(
      [sys.executable, '-m', 'pip', '--disable-pip-version-check', *arguments],
      capture_output=True,
      text=True,
    )
    assert done.returncode == 0, done.stderr

  def _run(self, *arguments):
    return subprocess.run(
      [self.site / 'bin' / 'fusion-jax', *arguments],
      cwd=self.create_tempdir().full_path,
      env={**os.environ, 'PYTHONPATH': str(self.site)},
      capture_output=True,
      text=True,
    )

  def test_it_holds_the_library_and_nothing_else(self):
    with zipfile.ZipFile(self.wheel) as f:
      names = f.namelist()
    tops = {x.partition('/')[0] for x in names}
    info = f'fusion_jax-{fusion_jax.__version__}.dist-info'
    self.assertEqual(tops, {'fusion_jax', info})
    tracked = {
      path.relative_to(imports.ROOT).as_posix()
      for path in (imports.ROOT / 'fusion_jax').rglob('*')
      if path.is_file() and '__pycache__' not in path.parts
    }
    packed = {x for x in names if x.startswith('fusion_jax/')}
    self.assertEqual(packed, tracked)

  def test_the_command_finds_what_is_shipped(self):
    done = self._run('--version')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertEqual(done.stdout, f'fusion-jax {fusion_jax.__version__}\n')
    done = self._run('arms', '--config=quick')
    self.assertEqual(done.returncode, 0, done.stderr)
    done = self._run('prepare', '--cohort=pad_ufes20_lesions')
    self.assertIn(f'{self.site}/fusion_jax/data/descriptors/', done.stderr)


if __name__ == '__main__':
  absltest.main()
