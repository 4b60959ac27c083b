import numpy as np
from absl.testing import absltest

from fusion_jax.data import content


class DigestTest(absltest.TestCase):
  def test_tells_contents_apart(self):
    texts = np.array(['a', None], object)
    base = ['x', 1, texts, np.arange(3), None, {'a': ('b',)}, ('c', 'd')]
    same = content.digest(base)
    self.assertEqual(same, content.digest(list(base)))
    for at, other in (
      (0, 'y'),
      (1, '1'),
      (2, np.array(['a', ''], object)),
      (3, np.arange(3.0)),
      (4, ''),
      (5, {'a': ('c',)}),
      (5, {'b': ('b',)}),
      (6, ('cd',)),
    ):
      changed = list(base)
      changed[at] = other
      self.assertNotEqual(same, content.digest(changed), other)
    self.assertNotEqual(same, content.digest(base[:-1]))


if __name__ == '__main__':
  absltest.main()
