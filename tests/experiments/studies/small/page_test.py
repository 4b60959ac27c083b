from absl.testing import absltest

from experiments.studies.small import page


def result(patients, draw, difference, verdict):
  row = {
    'arm': 'joint',
    'recipe': 'plain_both',
    'auroc': 0.8 + difference,
    'plain': 0.8,
    'difference': difference,
    'verdict': verdict,
  }
  cell = {'descriptor': 'a/skin.toml', 'patients': patients, 'draw': draw}
  return {'cell': cell, 'rows': [row]}


class PageTest(absltest.TestCase):
  def test_means_over_draws_and_how_many_are_inferior(self):
    text = page.table(
      [
        result(0, 0, 0.01, 'superior'),
        result(150, 0, -0.05, 'inconclusive'),
        result(150, 1, -0.15, 'inferior'),
      ]
    )
    self.assertEqual(
      text.splitlines(),
      [
        '| arm | skin, 150 | skin, all |',
        '| --- | --- | --- |',
        '| `plain_both` | .800 | .800 |',
        '| `joint` | -.100 (1 of 2) | +.010 (0 of 1) |',
      ],
    )


if __name__ == '__main__':
  absltest.main()
