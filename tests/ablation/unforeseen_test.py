import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.ablation import store, unforeseen


class UnforeseenTest(parameterized.TestCase):
  @parameterized.parameters(
    (ValueError('a\n  b'), 'ValueError: a b'),
    (KeyError(), 'KeyError'),
    (RuntimeError('x' * 999), f'RuntimeError: {"x" * 200}...'),
    (MemoryError('9 GB'), 'there is not enough memory for it'),
  )
  def test_one_line_that_says_where_more_is(self, e, expected):
    found = unforeseen.told(e, store.Store(pathlib.Path('run')))
    self.assertEqual(
      found, f"{expected} (the traceback is in 'run/log.jsonl')."
    )

  def test_the_traceback(self):
    try:
      raise ValueError('a')
    except ValueError as e:
      found = unforeseen.logged(e)
    self.assertIn('Traceback', found['traceback'])
    self.assertIn("raise ValueError('a')", found['traceback'])


if __name__ == '__main__':
  absltest.main()
