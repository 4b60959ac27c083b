"""Tests of ResNet-50 and its family."""

from absl.testing import absltest, parameterized

from tests.encoders import published


class DeepResNetTest(parameterized.TestCase):
  @parameterized.parameters(
    ('deep_resnet(blocks=(2,2,2,2),bottleneck=false)', 11_689_512),
    ('deep_resnet(blocks=(3,4,6,3),bottleneck=false)', 21_797_672),
    ('deep_resnet', 25_557_032),
    ('deep_resnet(norm=batch)', 25_557_032),
    ('deep_resnet(blocks=(3,4,23,3))', 44_549_160),
    ('deep_resnet(blocks=(3,8,36,3))', 60_192_808),
  )
  def test_parameters_are_those_published(self, part, count):
    """ResNet-18, 34, 50, 101 and 152 of torchvision."""
    self.assertEqual(published.of_images(part), count)


if __name__ == '__main__':
  absltest.main()
