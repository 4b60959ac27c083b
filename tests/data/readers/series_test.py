"""Tests of how files of the kind 'series' are read."""

import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors
from tests.data.readers import folder


class ReaderTest(folder.TestCase):
  def test_series(self):
    rows = ['study,minute,item,value']
    for i in range(1, folder.N):
      rows += [f's{i},{60 * k},hr,{70 + k}' for k in range(4)]
    (self.root / 'vitals.csv').write_text('\n'.join(rows) + '\n')
    text = """
      [modalities.vitals]
      kind = "series"
      table = "vitals.csv"
      time = "minute"
      time_unit = "minutes"
      code = "item"
      value = "value"
      index = 200
    """
    cohort = self.open(text)
    vitals = cohort.modalities['vitals']
    self.assertEqual(vitals.present.tolist(), [False] + [True] * 11)
    self.assertEqual(vitals.data.codes, ('hr',))
    np.testing.assert_allclose(
      vitals.data.time[:4], np.array([-200, -140, -80, -20]) / 60, rtol=1e-5
    )
    with self.assertRaisesRegex(errors.ProblemsError, 'vitals.csv'):
      self.open(text.replace('index = 200', 'index = 180'))
    early = self.open(
      text.replace('index = 200', 'index = 180\n      after_index = "drop"')
    )
    self.assertLen(early.modalities['vitals'].data.time, 33)
    self.assertIn('11', ' '.join(early.notes))


if __name__ == '__main__':
  absltest.main()
