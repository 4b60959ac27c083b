"""Holds the source tree against the floors of the architecture."""

import ast
import re

from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.launch import command
from tests import imports

# Lower floors never import higher ones, and packages of one floor do not
# import each other.
FLOORS = {
  'core': 0,
  'data': 1,
  'parallel': 1,
  'encoders': 2,
  'fusion': 3,
  'training': 4,
  'evaluation': 4,
  'ablation': 5,
  'report': 6,
  'launch': 7,
}
EXPERIMENTS = 8

# What a room may import of ours besides itself, where that is less than all
# lower floors: evaluation takes arrays, report takes a summary.
ALLOWED = {'evaluation': ('core',), 'report': ('core',)}

# Third-party packages and modules a room must not import, and why.
FORBIDDEN = {
  'core': {'rich': 'core prints nothing', 'sklearn': 'core fits nothing'},
  'data': {'flax': 'data knows no model', 'optax': 'data knows no model'},
  'encoders': {
    'PIL': 'encoders read no cohort files',
    'pyarrow': 'encoders read no cohort files',
  },
  'training': {
    'PIL': 'training reads no cohort files',
    'pyarrow': 'training reads no cohort files',
    'fusion_jax.data.reader': 'training reads no cohort files',
    'fusion_jax.data.images': 'training reads no cohort files',
    'fusion_jax.data.descriptor': 'training reads no cohort files',
  },
  'evaluation': {
    'flax': 'evaluation knows no model',
    'optax': 'evaluation knows no model',
    'orbax': 'evaluation knows no model',
  },
  'report': {
    'numpy': 'report computes nothing',
    'scipy': 'report computes nothing',
    'sklearn': 'report computes nothing',
    'statistics': 'report computes nothing',
    'jax': 'report computes nothing',
  },
}
EVERYWHERE = {
  'pandas': "it is nobody's declared dependency",
  'jax._src': 'it is private to jax',
  'flax.nnx': 'models are linen modules',
  'clu': 'it needs TensorFlow',
  'tensorflow': 'nothing here needs TensorFlow',
  'tests': 'tests are not installed',
}
# Imported only inside the functions that need them.
LAZY = (
  'tensorflow_datasets',
  'grain',
  'array_record',
  'nibabel',
  'openpyxl',
  'pydicom',
  'sksurv',
  'lifelines',
)

# Where modalities have names: in worlds, in files of version 1, in families,
# and where the sides are named after them. All others ask the cohort.
NAMES_A_MODALITY = {
  'fusion_jax/ablation/families.py',
  'fusion_jax/ablation/saved.py',
  'fusion_jax/core/types.py',
  'fusion_jax/data/descriptor.py',
  'fusion_jax/data/draft_modalities.py',
  'fusion_jax/data/five.py',
  'fusion_jax/data/synthetic.py',
  'fusion_jax/data/worlds.py',
}

# Files that have no test file of their own, and why.
WITHOUT_TEST = {
  'fusion_jax/parallel/config.py': 'fields only; strategy_test.py tries each',
  'fusion_jax/launch/configs/default.py': 'fields only; settings_test.py makes',
  'fusion_jax/launch/configs/quick.py': 'fields only; settings_test.py makes',
}

BANNED_NAMES = ('utils', 'util', 'helpers', 'helper', 'misc', 'common')
MAX_LINES = 500


def _is_or_in(name: str, module: str) -> bool:
  return name == module or name.startswith(f'{module}.')


def room_of(dotted: str) -> str | None:
  """The room of a dotted name of ours, None for the root package."""
  parts = dotted.split('.')
  if parts[0] == 'experiments':
    return 'experiments'
  return parts[1] if len(parts) > 1 and parts[1] in FLOORS else None


def floor_of(room: str | None) -> int:
  if room is None:
    return 0
  return EXPERIMENTS if room == 'experiments' else FLOORS[room]


def faults(path: str, source: str) -> list[str]:
  """What is wrong with one product file, one line each."""
  here = room_of(path.removesuffix('.py').replace('/', '.'))
  found = []
  for item in imports.parse(source, path=path):
    where = f'{path}:{item.line}'
    if item.name.split('.')[0] in imports.PRODUCT:
      there = room_of(item.name)
      up = floor_of(there) > floor_of(here)
      across = there != here and there and floor_of(there) == floor_of(here)
      outside = (
        here in ALLOWED and there and there not in (here, *ALLOWED[here])
      )
      if up or across or outside:
        found.append(f'{where}: {here} must not import {item.name}')
    for module, reason in {**EVERYWHERE, **FORBIDDEN.get(here, {})}.items():
      if _is_or_in(item.name, module):
        found.append(f'{where}: no {module} in {here}: {reason}')
    for module in LAZY:
      if item.top and _is_or_in(item.name, module):
        found.append(f'{where}: import {module} where it is used')
  if re.search(r'\bshared/', source):
    found.append(f"{path}: product code reads nothing of 'shared/'")
  return found + shape_faults(path, source)


def shape_faults(path: str, source: str) -> list[str]:
  """What is wrong with a file's name or size, for any file of ours."""
  found = []
  lines = source.count('\n')
  if lines > MAX_LINES:
    found.append(f'{path}: {lines} lines, more than {MAX_LINES}')
  parts = path.removesuffix('.py').split('/')
  for part in parts:
    if part.removesuffix('_test') in BANNED_NAMES:
      found.append(f"{path}: '{part}' says nothing about what is in it")
  return found


class ArchitectureTest(absltest.TestCase):
  def test_product_code(self):
    paths = imports.python_files(*imports.PRODUCT)
    self.assertNotEmpty(paths)
    found = []
    for path in paths:
      found += faults(path, (imports.ROOT / path).read_text())
    self.assertEmpty(found, '\n' + '\n'.join(found))

  def test_tests(self):
    found = []
    for path in imports.python_files('tests'):
      found += shape_faults(path, (imports.ROOT / path).read_text())
    self.assertEmpty(found, '\n' + '\n'.join(found))

  def test_every_room_has_a_floor(self):
    rooms = {
      p.name
      for p in (imports.ROOT / 'fusion_jax').iterdir()
      if p.is_dir() and not p.name.startswith('__')
    }
    self.assertSameElements(rooms, FLOORS)

  def test_every_import_of_ours_exists(self):
    missing = []
    for path in imports.python_files(*imports.OURS):
      source = (imports.ROOT / path).read_text()
      for item in imports.parse(source, path=path):
        if item.name.split('.')[0] in imports.OURS and not item.text:
          if imports.resolve(item.name) is None:
            missing.append(f'{path}:{item.line}: {item.name}')
    self.assertEmpty(missing)

  def test_nothing_installed_imports_experiments(self):
    found = [
      f'{path}:{item.line}'
      for path in imports.python_files('fusion_jax')
      for item in imports.parse((imports.ROOT / path).read_text(), path=path)
      if item.name.split('.')[0] == 'experiments'
    ]
    self.assertEmpty(found)

  def test_modalities_are_not_named(self):
    found = {
      path
      for path in imports.python_files('fusion_jax')
      if not path.startswith('fusion_jax/data/kinds/')
      and names_a_modality((imports.ROOT / path).read_text())
    }
    self.assertEqual(found, NAMES_A_MODALITY)

  def test_entries_of_the_checkout_are_the_commands(self):
    entries = {
      path.removeprefix('experiments/').removesuffix('.py')
      for path in imports.python_files('experiments')
      if path.count('/') == 1 and not path.endswith('__init__.py')
    }
    self.assertSameElements(entries, command.COMMANDS)

  def test_every_library_file_has_its_test_file(self):
    missing = {
      path
      for path in imports.python_files('fusion_jax')
      if not path.endswith('__init__.py')
      and not (imports.ROOT / _test_of(path)).is_file()
    }
    self.assertEqual(missing, set(WITHOUT_TEST))


def _test_of(path: str) -> str:
  own = path.replace('fusion_jax/', 'tests/', 1)
  return own.removesuffix('.py') + '_test.py'


def names_a_modality(source: str) -> bool:
  """Whether code, not prose, names the record or the image of a cohort."""
  return any(
    (isinstance(x, ast.Constant) and x.value == types.EHR)
    or (
      isinstance(x, ast.Attribute)
      and x.attr in ('IMAGE', 'EHR')
      and ast.unparse(x.value) == 'types'
    )
    for x in ast.walk(ast.parse(source))
  )


class CheckerTest(parameterized.TestCase):
  """The checker itself: each planted violation is caught, by its name."""

  @parameterized.parameters(
    ("x = cohort.modalities['ehr']", True),
    ('x = types.IMAGE', True),
    ('x = types.SIDES', False),
    ("'''Sees the ehr.'''", False),
  )
  def test_names_of_modalities(self, source, expected):
    self.assertEqual(names_a_modality(source), expected)

  @parameterized.parameters(
    ('core/x.py', 'from fusion_jax.data import cohort', 'must not import'),
    ('data/x.py', 'from fusion_jax.parallel import mesh', 'must not import'),
    ('encoders/image/x.py', 'from fusion_jax import fusion', 'must not'),
    ('encoders/image/x.py', 'from ...training import loop', 'must not'),
    ('training/x.py', 'from fusion_jax.evaluation import metrics', 'must not'),
    ('evaluation/x.py', 'from fusion_jax.data import cohort', 'must not'),
    ('evaluation/x.py', 'import fusion_jax.training.neural', 'must not'),
    ('ablation/x.py', 'from fusion_jax.launch import output', 'must not'),
    ('launch/x.py', 'import experiments.ablate', 'must not import'),
    ('report/x.py', 'from fusion_jax.evaluation import metrics', 'must not'),
    ('core/x.py', "NAME = 'fusion_jax.encoders.image'", 'must not import'),
    ('core/x.py', 'def f():\n  from fusion_jax import ablation', 'must not'),
    ('evaluation/x.py', 'from flax import linen as nn', 'no flax in'),
    ('report/x.py', 'import numpy as np', 'no numpy in'),
    ('data/x.py', 'import flax.linen as nn', 'no flax in'),
    ('data/x.py', 'def f():\n  import pandas as pd', 'no pandas in'),
    ('core/x.py', 'from jax._src import core', 'no jax._src in'),
    ('training/x.py', 'from PIL import Image', 'no PIL in'),
    ('training/x.py', 'from fusion_jax.data import reader', 'cohort files'),
    ('data/x.py', 'import grain.python as grain', 'where it is used'),
    ('data/x.py', 'if 1:\n  import tensorflow_datasets', 'where it is used'),
    ('data/x.py', "ROOT = '../shared/data'", 'reads nothing of'),
    ('data/x.py', '\n' * 501, 'more than 500'),
    ('data/utils.py', '', 'says nothing'),
    ('data/x.py', 'from tests import imports', 'no tests in'),
  )
  def test_catches(self, path, source, message):
    found = faults(f'fusion_jax/{path}', source)
    self.assertNotEmpty(found)
    self.assertIn(message, ' '.join(found))

  @parameterized.parameters(
    ('core/x.py', 'import jax\nfrom fusion_jax.core import errors'),
    ('encoders/image/x.py', 'from fusion_jax.encoders import registry'),
    ('encoders/table/x.py', 'from fusion_jax.encoders.image import resnet'),
    ('ablation/x.py', 'from fusion_jax.evaluation import summary'),
    ('data/x.py', 'def f():\n  import tensorflow_datasets as tfds'),
    ('data/x.py', 'import fusion_jax\nprint(fusion_jax.__version__)'),
    ('data/x.py', 'import pandas_like'),
    ('data/x.py', '\n' * 500),
  )
  def test_lets_pass(self, path, source):
    self.assertEmpty(faults(f'fusion_jax/{path}', source))

  def test_experiments_may_import_everything(self):
    source = 'from fusion_jax.report import html\nimport fusion_jax.core'
    self.assertEmpty(faults('experiments/x.py', source))


if __name__ == '__main__':
  absltest.main()
