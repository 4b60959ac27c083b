"""Tests of fusion_jax.launch.arms."""

from absl.testing import absltest

from fusion_jax.ablation import families
from tests.launch import ablate_test

KNOWN = families.review(families.USUAL)


class ArmsTest(absltest.TestCase):
  def test_one_line_each_and_the_tables(self):
    done = ablate_test.ablate(ablate_test.ROOT, module='arms')
    self.assertEqual(done.returncode, 0, done.stderr)
    lines = done.stdout.splitlines()
    listed = [n for n, a in KNOWN.items() if a.strategy != 'upstream']
    self.assertEqual([x.split()[0] for x in lines[: len(listed)]], listed)
    (heads,) = [x for x in lines if x.split()[:2] == ['arm', 'binary']]
    self.assertEqual(heads.split()[0], 'arm')
    rows = [x.split() for x in lines[len(listed) :] if 'late_vote' in x]
    self.assertEqual(rows[0][1:6], ['yes', 'yes', 'yes', '-', '-'])
    self.assertNotIn('image encoders trained', done.stdout)
    (part,) = [x for x in lines if x.startswith('combiner concat(')]
    self.assertIn('dropout=0.5', part)
    self.assertIn('interactions: yes', part)

  def test_exchanged_parts_show(self):
    done = ablate_test.ablate(
      ablate_test.ROOT, '--arm=flat=joint(combiner=additive)', module='arms'
    )
    (row,) = [
      x for x in done.stdout.splitlines() if x.split()[:2] == ['flat', 'no']
    ]
    self.assertIn('combiner=additive', row)


if __name__ == '__main__':
  absltest.main()
