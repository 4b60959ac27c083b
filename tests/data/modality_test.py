import dataclasses

import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.data import modality
from fusion_jax.data.kinds import vector


def make(values):
  data = vector.Data(np.asarray(values, np.float32))
  return modality.Modality.of('vector', modality.RECORD, data)


class ModalityTest(absltest.TestCase):
  def test_rows_and_presence_change_and_data_do_not(self):
    x = make([[1.0], [np.nan], [3.0]])
    self.assertEqual(x.present.tolist(), [True, False, True])
    self.assertIs(x.given(x.data.values), x.data.values)
    moved = x.take(np.array([2, 1])).without(np.array([True, False]))
    self.assertIs(moved.data, x.data)
    self.assertEqual(moved.present.tolist(), [False, False])
    self.assertEqual(moved.given(x.data.values)[0, 0], 3)
    self.assertLen(x.take(np.array([True, False, True])), 2)

  def test_a_stand_in_is_hashed_instead(self):
    @dataclasses.dataclass(frozen=True, eq=False)
    class Files(modality.Data):
      pixels: np.ndarray = modality.by_study(hashed_as='files')
      files: str = ''

      @property
      def present(self):
        return np.ones(len(self.pixels), bool)

    zeros, ones = np.zeros(2), np.ones(2)
    self.assertNotEqual(Files(zeros).digest(), Files(ones).digest())
    self.assertEqual(Files(zeros, 'a').digest(), Files(ones, 'a').digest())
    self.assertNotEqual(Files(zeros, 'a').digest(), Files(zeros, 'b').digest())

  def test_rows_are_counted(self):
    with self.assertRaisesRegex(errors.UserError, "'note': values has 3 rows"):
      make([[1.0], [2], [3]]).data.check('note', 4)


if __name__ == '__main__':
  absltest.main()
