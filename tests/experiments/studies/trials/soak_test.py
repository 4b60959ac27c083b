import types

import numpy as np
from absl.testing import absltest

from experiments.studies.trials import small, soak


class SoakTest(absltest.TestCase):
  def test_most_moments_are_inside_training_and_in_the_order_of_arms(self):
    rng = np.random.default_rng(0)
    found = [soak.moments(rng, 2, whole=10.0) for _ in range(300)]
    each = [x for pair in found for x in pair]
    inside = [x for x in each if x.event == soak.EPOCH]
    self.assertAlmostEqual(len(inside) / len(each), 0.8, delta=0.06)
    self.assertEqual({x.arm for x in inside}, set(small.NEURAL))
    self.assertEqual({x.number for x in inside}, set(range(small.EPOCHS)))
    self.assertLen({x.signal for x in each}, 2)
    order = ('', *small.NEURAL)
    for first, second in found:
      self.assertLessEqual(order.index(first.arm), order.index(second.arm))

  def test_what_is_wrong_with_a_folder(self):
    def lines(*kills, differs=(), trouble=''):
      made = tuple(soak.Kill(*k) for k in kills)
      return soak.unexpected(soak.Folder(0, made, differs, trouble))

    sound = (
      ('SIGKILL', 'training of ehr', -9),
      ('SIGTERM', 'training of ehr', 143),
      ('SIGTERM', '', -15),
      ('SIGKILL', soak.FINISHED, 0),
    )
    self.assertEqual(lines(*sound), [])
    self.assertLen(lines(('SIGTERM', 'training of ehr', 1)), 1)
    self.assertLen(lines(('SIGKILL', soak.FINISHED, 1)), 1)
    self.assertLen(lines(differs=('summary.json',), trouble='Exit code 1'), 2)

  def test_tells_what_a_run_is_doing(self):
    sent = []
    told = soak._Told(types.SimpleNamespace(send=sent.append))
    told.plan({'ehr': (1, 0), 'late_stack': (1, 0)})
    told.start('ehr')
    told.epoch('ehr', 1, 6, 0.5)
    told.end('ehr')
    told.start('late_stack')
    told.message('Evaluating')
    self.assertEqual(
      sent,
      [
        (soak.EPOCH, 'ehr', 0),
        (soak.EPOCH, 'ehr', 1),
        (soak.END, 'ehr', 0),
        (soak.START, 'late_stack', 0),
        (soak.EVALUATE, '', 0),
      ],
    )

  def test_counts_by_what_a_process_was_doing(self):
    kills = (
      soak.Kill('SIGKILL', 'training of ehr', -9),
      soak.Kill('SIGTERM', '', -15),
    )
    folders = [soak.Folder(k, kills, (), '') for k in range(2)]
    self.assertEqual(
      soak.counts(folders),
      {'before it began': {'SIGTERM': 2}, 'training of ehr': {'SIGKILL': 2}},
    )


if __name__ == '__main__':
  absltest.main()
