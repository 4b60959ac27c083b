"""Arguments outside what is legal are one line that names them."""

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.fusion import protocol


class ChecksTest(parameterized.TestCase):
  @parameterized.parameters(
    ('lmf(rank=0)', r'^lmf\(rank=0\): expected a whole number of at least 1.$'),
    ('medfuse(dropout=-0.1)', r'^medfuse\(dropout=-0.1\): expected a number'),
    ('perceiver(dropout=1.0)', 'at least 0 and below 1'),
    ('perceiver(heads=0)', r'perceiver\(heads=0\): expected a whole'),
    ('moe(width=10)', r'^moe\(width=10,heads=4\): width has to be a multiple'),
    ('moe(experts=2,top=3)', 'more experts than there are'),
    ('bottleneck(depth=1)', r'^bottleneck\(depth=1\): .* at least 2.$'),
    ('tensor(hidden=(4,0))', r'tensor\(hidden=0\)'),
  )
  def test_a_combiner(self, spec, message):
    with self.assertRaisesRegex(errors.UserError, message):
      protocol.COMBINERS.build(spec, num_outputs=1)


if __name__ == '__main__':
  absltest.main()
