from absl.testing import absltest, parameterized
from hypothesis import given, settings
from hypothesis import strategies as st

from fusion_jax.core import errors, spec

_NAMES = st.from_regex(r'[a-z_][a-z0-9_]{0,8}', fullmatch=True).filter(
  lambda x: x not in ('true', 'false', 'none')
)
_ATOMS = st.one_of(
  st.integers(-(10**9), 10**9),
  st.floats(allow_nan=False, allow_infinity=False, width=32),
  st.booleans(),
  st.none(),
  st.text(st.characters(codec='ascii', exclude_characters='"\''), max_size=9),
)
_VALUES = st.recursive(
  _ATOMS,
  lambda inner: st.one_of(
    st.lists(inner, max_size=3).map(tuple),
    st.builds(spec.Spec, _NAMES, st.dictionaries(_NAMES, inner, max_size=3)),
  ),
  max_leaves=6,
)
_SPECS = st.builds(
  spec.Spec, _NAMES, st.dictionaries(_NAMES, _VALUES, max_size=4)
)


class SpecTest(parameterized.TestCase):
  @given(_SPECS)
  @settings(max_examples=200, deadline=None)
  def test_text_is_read_back(self, part):
    self.assertEqual(spec.parse(str(part)), part)

  def test_all_values(self):
    part = spec.parse(
      " vit( width = 192, rate=.5, norm=true, of=none, name='a b',"
      ' sizes=(1,2,), inner=mlp(width=3), kind=gated )'
    )
    self.assertEqual(part.name, 'vit')
    self.assertEqual(
      part.arguments,
      {
        'width': 192,
        'rate': 0.5,
        'norm': True,
        'of': None,
        'name': 'a b',
        'sizes': (1, 2),
        'inner': spec.Spec('mlp', {'width': 3}),
        'kind': spec.Spec('gated'),
      },
    )

  @parameterized.parameters(
    ('', 'a name'),
    ('vit(', 'argument=value'),
    ('vit(width)', 'argument=value'),
    ('vit(width=)', 'a value'),
    ('vit(width=1', "',' or '\\)'"),
    ('vit(width=1,width=2)', 'only once'),
    ('vit(width=1))', 'the end'),
    ("vit(width='1)", "a closing '"),
    ('vit(width=' + '9' * 99 + ')', 'at most 40 digits'),
    ('vit(width=' + '(' * 99, 'at most 16 levels'),
    ('v(a=' * 99, 'at most 16 levels'),
    ('v' * 5000, 'at most 4096 characters'),
  )
  def test_what_is_no_spec_is_one_line(self, source, expected):
    with self.assertRaisesRegex(errors.UserError, expected) as context:
      spec.parse(source, where='--arm')
    self.assertIn('(--arm)', str(context.exception))
    self.assertNotIn('\n', str(context.exception))


if __name__ == '__main__':
  absltest.main()
