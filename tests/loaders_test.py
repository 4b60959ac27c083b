"""Nothing that the product reads from a file can run code."""

import ast

from absl.testing import absltest, parameterized

from tests import imports

# Their formats hold objects, and reading an object calls what it names.
MODULES = (
  'cloudpickle',
  'dill',
  'joblib',
  'marshal',
  'pickle',
  'shelve',
  'torch',
  'yaml',
)
BUILTINS = ('__import__', 'compile', 'eval', 'exec')


def faults(source):
  """(line, what) of every call or import that can run what it reads."""
  found = [
    (line.line, line.name)
    for line in imports.parse(source, path='x.py')
    if line.name.split('.')[0] in MODULES
  ]
  for node in ast.walk(ast.parse(source)):
    if not isinstance(node, ast.Call):
      continue
    name = ast.unparse(node.func)
    keywords = {k.arg: ast.unparse(k.value) for k in node.keywords}
    if name in BUILTINS or name.split('.')[-1] == 'read_pickle':
      found.append((node.lineno, name))
    elif keywords.get('allow_pickle', 'False') != 'False':
      found.append((node.lineno, f'{name} with allow_pickle'))
    elif name in ('np.load', 'numpy.load') and 'allow_pickle' not in keywords:
      found.append((node.lineno, f'{name} without allow_pickle=False'))
  return found


class LoadersTest(parameterized.TestCase):
  @parameterized.parameters(*imports.python_files(*imports.PRODUCT))
  def test_reads_arrays_and_text_only(self, path):
    self.assertEqual(faults((imports.ROOT / path).read_text('utf-8')), [])

  @parameterized.parameters(
    ('import pickle',),
    ('from joblib import load',),
    ('import torch\ntorch.load(path)',),
    ('def f():\n  import yaml',),
    ('eval(text)',),
    ('exec(text)',),
    ('__import__(text)',),
    ('np.load(path)',),
    ('np.load(path, allow_pickle=True)',),
    ('np.lib.format.read_array(f, allow_pickle=trust)',),
    ('pd.read_pickle(path)',),
  )
  def test_is_noticed(self, source):
    self.assertNotEmpty(faults(source))

  def test_what_only_looks_like_one_is_none(self):
    source = "re.compile('a')\nnp.load(p, allow_pickle=False)\nmodel.eval()"
    self.assertEqual(faults(source), [])


if __name__ == '__main__':
  absltest.main()
