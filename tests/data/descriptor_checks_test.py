import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import descriptor

BASE = {
  'task': 'binary',
  'table': 't.csv',
  'study': 's',
  'patient': 'p',
  'label': 'y',
  'numeric': ['a'],
}


class ChecksTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'task': 'survival'}, 'needs time and event, and no label'),
    ({'time': 't'}, 'time and event are only for survival'),
    ({'label': ['y', 'z']}, 'takes one label, got 2'),
    ({'classes': ['a']}, 'classes is only for'),
    ({'negative': '0'}, 'negative needs the key positive'),
    ({'positive': '1', 'negative': '1'}, "'1' is both positive and negative"),
    ({'positive': '1', 'positive_above': 0}, 'nothing beside positive_above'),
    ({'bounds': ['b']}, "bounds names 'b', which is not listed as numeric"),
    ({'plausible': {'b': [0, 1]}}, "plausible names 'b'"),
    ({'blank_false': ['a']}, "'a', which is not listed as boolean"),
  )
  def test_contradictions_are_one_line(self, changes, message):
    with self.assertRaisesRegex(errors.UserError, message):
      descriptor.parse({**BASE, **changes}, pathlib.Path('cohort.toml'))


if __name__ == '__main__':
  absltest.main()
