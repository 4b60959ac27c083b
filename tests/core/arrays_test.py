import dataclasses
import io

import numpy as np
from absl.testing import absltest

from fusion_jax.core import arrays, errors


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
  """One field of each sort."""

  mean: np.ndarray
  names: tuple[str, ...]
  levels: tuple[np.ndarray, ...]
  low: float
  size: int
  free: bool
  note: str


class ArraysTest(absltest.TestCase):
  def test_round_trip_through_a_file(self):
    for levels in (
      (),
      (np.array(['a', 'bc']), np.array([], np.str_), np.array(['d'])),
      (np.array([], np.str_),),
    ):
      fit = Fit(np.arange(3.0), ('x', 'y'), levels, -0.5, 3, True, 'n')
      file = io.BytesIO()
      np.savez(file, **arrays.to_arrays(fit, 'p/'))
      file.seek(0)
      with np.load(file, allow_pickle=False) as f:
        again = arrays.from_arrays(Fit, dict(f), 'p/')
      np.testing.assert_array_equal(again.mean, fit.mean)
      self.assertEqual(again.names, fit.names)
      self.assertEqual(
        [x.tolist() for x in again.levels], [x.tolist() for x in levels]
      )
      for name in ('low', 'size', 'free', 'note'):
        self.assertEqual(getattr(again, name), getattr(fit, name))

  def test_what_is_missing_is_named(self):
    made = arrays.to_arrays(Fit(np.ones(1), (), (), 0.0, 1, False, ''))
    del made['size']
    with self.assertRaisesRegex(errors.UserError, 'size is missing'):
      arrays.from_arrays(Fit, made)


if __name__ == '__main__':
  absltest.main()
