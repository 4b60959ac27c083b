import pathlib
import textwrap

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import descriptor

HEAD = """
  version = 2
  task = "binary"
  table = "table.csv"
  study = "study"
  patient = "patient"
  label = "label"
"""
ALL = """
  [modalities.cxr]
  kind = "image"
  views = {frontal = "f/{study}.png", lateral = "l/{study}.png"}
  missing = "absent"
  [modalities.ct]
  kind = "volume"
  path = "ct/{study}.npz"
  window = [-1000, 400]
  side = "record"
  [modalities.labs]
  kind = "table"
  numeric = ["crp"]
  boolean = ["fever"]
  [modalities.demographics]
  kind = "table"
  categorical = ["sex"]
  [modalities.vitals]
  kind = "series"
  table = "vitals.parquet"
  time = "minute"
  time_unit = "minutes"
  code = "item"
  value = "value"
  index = 2880
  window = "2d"
  plausible = {ph = [6.8, 7.8]}
  [modalities.note]
  kind = "vector"
  path = "notes.npz"
"""


def parse(text, head=HEAD):
  import tomllib

  return descriptor.parse(
    tomllib.loads(textwrap.dedent(head) + textwrap.dedent(text)),
    pathlib.Path('cohort.toml'),
  )


class SectionsTest(parameterized.TestCase):
  def test_every_kind(self):
    d = parse(ALL)
    self.assertEqual(
      [(x.name, x.kind, x.side) for x in d.sections.values()],
      [
        ('cxr', 'image', 'imaging'),
        ('ct', 'volume', 'record'),
        ('labs', 'table', 'record'),
        ('demographics', 'table', 'record'),
        ('vitals', 'series', 'record'),
        ('note', 'vector', 'record'),
      ],
    )
    cxr, vitals = d.sections['cxr'], d.sections['vitals']
    self.assertEqual((*cxr.views,), ('frontal', 'lateral'))
    self.assertEqual(cxr.patterns, ('f/{study}.png', 'l/{study}.png'))
    self.assertEqual(cxr.missing, 'absent')
    self.assertEqual(d.sections['ct'].window, (-1000, 400))
    self.assertEqual((vitals.window, vitals.index), (48, 2880))
    self.assertEqual(vitals.plausible, {'ph': (6.8, 7.8)})
    self.assertEqual(d.sections['note'].patterns, ())
    # What is said of columns holds in every table.
    self.assertEqual(d.features, ('crp', 'sex', 'fever'))

  def test_version_1_is_two_modalities(self):
    head = HEAD.replace('version = 2', 'version = 1')
    d = parse('images = "i/{study}.png"\nnumeric = ["crp"]\n', head)
    self.assertEqual(
      [(x.name, x.kind) for x in d.sections.values()],
      [('image', 'image'), ('ehr', 'table')],
    )

  @parameterized.parameters(
    ('', 'version 2 names modalities'),
    ('modalities = 3', 'modalities must be tables'),
    ('[modalities]', 'modalities must be tables'),
    ('[modalities.x]\nkind = "imag"', "Unknown kind 'imag'.*mean 'image'"),
    ('[modalities.x]\nkind = "image"', 'needs path or views, got neither'),
    (
      '[modalities.x]\nkind = "image"\npath = "a"\nviews = {f = "b"}',
      'needs path or views, got both',
    ),
    ('[modalities.x]\nkind = "table"', 'needs numeric, categorical or'),
    ('[modalities.x]\nkind = "series"', "needs the key 'table'"),
    ('[modalities."a b"]\nkind = "vector"', 'is named by a letter'),
    ('[modalities.both]\nkind = "vector"', 'and not both or all'),
    (
      '[modalities.x]\nkind = "vector"\npath = "a"\nwindow = [1, 2]',
      "Unknown key 'window'.*kind 'vector'",
    ),
    (
      '[modalities.x]\nkind = "volume"\npath = "a"\nwindow = [2, 1]',
      'window must be two numbers in order',
    ),
    (
      '[modalities.x]\nkind = "image"\npath = "a"\nsize = -1',
      'size must be a whole number from 0',
    ),
    (
      '[modalities.x]\nkind = "image"\npath = "a"\nside = "left"',
      "Unknown side 'left'",
    ),
    (
      'numeric = ["crp"]\n[modalities.x]\nkind = "vector"\npath = "a"',
      "key 'numeric' belongs to a modality",
    ),
    (
      'images = "a"\n[modalities.x]\nkind = "vector"\npath = "a"',
      r"'images' belongs to a modality: write it below .* as path",
    ),
    (
      '[modalities.a]\nkind = "table"\nnumeric = ["x"]\n'
      '[modalities.b]\nkind = "table"\ncategorical = ["x"]',
      "column 'x' is listed under",
    ),
    (
      '[modalities.a]\nkind = "table"\nnumeric = ["label"]',
      "'label' is both label and a feature",
    ),
  )
  def test_what_is_wrong_is_one_line(self, text, message):
    with self.assertRaisesRegex(errors.UserError, message) as context:
      parse(text)
    self.assertNotIn('\n', str(context.exception))


if __name__ == '__main__':
  absltest.main()
