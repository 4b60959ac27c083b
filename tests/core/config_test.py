import dataclasses
import json
import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.core import config, errors


@dataclasses.dataclass(frozen=True)
class Inner:
  epochs: int = 3
  rate: float = 0.5
  label: str = 'a'
  on: bool = False
  sizes: tuple[int, ...] = (1, 2)
  limit: int | None = None


@dataclasses.dataclass(frozen=True)
class Outer:
  training: Inner = Inner()
  arms: dict[str, Inner] = dataclasses.field(
    default_factory=lambda: {'joint': Inner(), 'image': Inner()}
  )
  names: tuple[str, ...] = ('x',)
  nested: tuple[Inner, ...] = ()


def _load(cls, path):
  return config.from_dict(cls, config.read(path), where=str(path))


class OverridesTest(parameterized.TestCase):
  @parameterized.parameters(
    ('training.epochs=20', 20),
    ('training.epochs=-1', -1),
    ('training.rate=1e-3', 0.001),
    ('training.rate=2', 2.0),
    ('training.label=b=c', 'b=c'),
    ('training.label=', ''),
    ('training.on=True', True),
    ('training.on=false', False),
    ('training.sizes=4, 5', (4, 5)),
    ('training.sizes=', ()),
    ('training.limit=7', 7),
    ('training.limit=none', None),
    ('arms.joint.epochs=9', 9),
    ('names=f(a=1,b=(2,3)),g', ('f(a=1,b=(2,3))', 'g')),
  )
  def test_reads_values_as_the_fields_type(self, override, expected):
    changed = config.apply_overrides(Outer(), [override], flag='--set')
    value = changed
    for name in override.partition('=')[0].split('.'):
      value = value[name] if isinstance(value, dict) else getattr(value, name)
    self.assertEqual(value, expected)
    self.assertIs(type(value), type(expected))

  def test_changes_nothing_else_and_not_the_original(self):
    before = Outer()
    after = config.apply_overrides(
      before, ['arms.joint.epochs=9', 'arms.joint.rate=2'], flag='--set'
    )
    self.assertEqual(before, Outer())
    self.assertEqual(after.arms['joint'], Inner(epochs=9, rate=2.0))
    self.assertEqual(after.arms['image'], Inner())
    self.assertEqual(after.training, Inner())

  def test_the_last_override_wins(self):
    changed = config.apply_overrides(
      Outer(), ['training.epochs=1', 'training.epochs=2'], flag='--set'
    )
    self.assertEqual(changed.training.epochs, 2)

  @parameterized.parameters(
    ('training.epoch=1', r"'epoch'.*--set=training.*Did you mean 'epochs'"),
    ('trainin.epochs=1', r"'trainin'.*Did you mean 'training'"),
    ('arms.jiont.epochs=1', r"'jiont'.*Did you mean 'joint'.*joint, image"),
    ('training.epochs=1.5', 'expected a whole number'),
    ('training.epochs=', 'expected a whole number'),
    ('training.rate=fast', r"expected a number, got 'fast'"),
    ('training.on=yes', 'expected true or false'),
    ('training.sizes=1,b', 'expected a whole number'),
    ('training=1', 'expected a name inside this group'),
    ('arms.joint=1', 'expected a name inside this group'),
    ('arms=1', 'expected a name inside this group'),
    ('training.epochs.more=1', r"nothing is called 'more'"),
    ('names.0=1', r"nothing is called '0' inside a tuple"),
    ('training.epochs', 'Expected NAME=VALUE'),
    ('=3', 'Expected NAME=VALUE'),
  )
  def test_bad_overrides_are_one_line(self, override, message):
    with self.assertRaisesRegex(errors.UserError, message) as caught:
      config.apply_overrides(Outer(), [override], flag='--set')
    self.assertNotIn('\n', str(caught.exception))
    self.assertIn(f'--set={override}', str(caught.exception))


class RoundTripTest(parameterized.TestCase):
  def test_through_a_file(self):
    before = Outer(
      training=Inner(epochs=8, sizes=(), limit=4, label='ü"\n'),
      arms={'x': Inner(rate=1e-9)},
      names=('a', 'b'),
      nested=(Inner(on=True), Inner()),
    )
    path = pathlib.Path(self.create_tempdir().full_path) / 'config.json'
    path.write_text(json.dumps(config.to_dict(before)))
    self.assertEqual(_load(Outer, path), before)

  def test_whatever_the_values(self):
    try:
      import hypothesis
      from hypothesis import strategies
    except ImportError:
      self.skipTest('hypothesis is not installed')

    inner = strategies.builds(
      Inner,
      epochs=strategies.integers(),
      rate=strategies.floats(allow_nan=False),
      label=strategies.text(),
      on=strategies.booleans(),
      sizes=strategies.lists(strategies.integers()).map(tuple),
      limit=strategies.none() | strategies.integers(),
    )

    @hypothesis.settings(max_examples=50, deadline=None, database=None)
    @hypothesis.given(
      strategies.builds(
        Outer,
        training=inner,
        arms=strategies.dictionaries(strategies.text(), inner, max_size=3),
        names=strategies.lists(strategies.text()).map(tuple),
        nested=strategies.lists(inner, max_size=2).map(tuple),
      )
    )
    def check(before):
      self.assertEqual(config.from_dict(Outer, config.to_dict(before)), before)

    check()

  def test_missing_keys_take_their_defaults(self):
    built = config.from_dict(Outer, {'training': {'epochs': 9}})
    self.assertEqual(built, Outer(training=Inner(epochs=9)))

  def test_missing_keys_without_a_default_are_named(self):
    @dataclasses.dataclass(frozen=True)
    class Arm:
      strategy: str
      learner: str
      rule: str = ''

    @dataclasses.dataclass(frozen=True)
    class Run:
      arms: dict[str, Arm]

    with self.assertRaisesRegex(
      errors.UserError, "^'arms.joint': missing 'strategy', 'learner'.$"
    ):
      config.from_dict(Run, {'arms': {'joint': {'rule': 'mean'}}})
    path = pathlib.Path(self.create_tempdir().full_path) / 'config.json'
    path.write_text('{}')
    with self.assertRaisesRegex(
      errors.UserError, "config.json': missing 'arms'.$"
    ):
      _load(Run, path)

  def test_whole_numbers_become_floats(self):
    rate = config.from_dict(Inner, {'rate': 2}).rate
    self.assertIs(type(rate), float)

  @parameterized.parameters(
    ({'trainig': {}}, r"'trainig'.*Did you mean 'training'"),
    ({'training': {'epoch': 1}}, r"'epoch' \(training\)"),
    ({'training': 3}, r"'training': expected a group, got 3"),
    ({'training': {'epochs': 1.0}}, r"'training.epochs'.*whole number"),
    ({'training': {'epochs': True}}, r"'training.epochs'.*whole number"),
    ({'training': {'rate': True}}, r"'training.rate'.*a number, got True"),
    ({'training': {'rate': '1'}}, r"'training.rate'.*a number"),
    ({'training': {'on': 1}}, r"'training.on'.*true or false"),
    ({'training': {'sizes': [1, 'b']}}, r"'training.sizes\[1\]'"),
    ({'training': {'sizes': 1}}, r"'training.sizes'"),
    ({'arms': {'x': {'rate': None}}}, r"'arms.x.rate'"),
    ({'arms': [1]}, r"'arms'"),
    ({'nested': [{'epochs': 'a'}]}, r"'nested\[0\].epochs'"),
  )
  def test_bad_values_name_their_place(self, data, message):
    with self.assertRaisesRegex(errors.UserError, message):
      config.from_dict(Outer, data)

  @parameterized.parameters(b'{', b'\xff\xfe{}', b'')
  def test_files_that_are_not_json(self, content):
    path = pathlib.Path(self.create_tempdir().full_path) / 'config.json'
    path.write_bytes(content)
    with self.assertRaisesRegex(errors.UserError, 'is not legal JSON'):
      _load(Outer, path)

  def test_files_that_are_missing_or_hold_a_list(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'config.json'
    with self.assertRaisesRegex(errors.UserError, 'No such configuration'):
      _load(Outer, path)
    path.write_text('[]')
    with self.assertRaisesRegex(errors.UserError, 'expected a group'):
      _load(Outer, path)


if __name__ == '__main__':
  absltest.main()
