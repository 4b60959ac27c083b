import dataclasses

import numpy as np
from absl.testing import absltest
from scipy import special

from fusion_jax.core import errors, types
from fusion_jax.training import protocol
from tests import tiny
from tests.training import steps


class ShaSpecTest(absltest.TestCase):
  def test_losses_are_of_what_the_combiner_holds_out(self):
    setup = model, _, batch = steps.joint(combiner='shaspec(width=4,dropout=0)')
    params, found = steps.passed('shaspec(alignment=0.5,domains=2)', setup)
    _, out = model.apply({'params': params}, batch)
    names = sorted((types.IMAGE, types.EHR))
    here = np.stack([batch.present[m] for m in names], 1)
    weight = np.asarray(batch.weight)
    shared, domains = (np.asarray(out[x]) for x in ('shared', 'domains'))
    both = weight * here.all(1)
    far = abs(shared[:, 0] - shared[:, 1]).mean(1)
    np.testing.assert_allclose(
      found.sums[f'shaspec/alignment/{"+".join(names)}'],
      (0.5 * (far * both).sum(), both.sum()),
      rtol=1e-4,
    )
    log_p = special.log_softmax(domains, axis=2)
    total = sum((log_p[:, k, k] * weight * here[:, k]).sum() for k in range(2))
    np.testing.assert_allclose(
      found.sums['shaspec/domains'],
      (-2 * total, (weight[:, None] * here).sum()),
      rtol=1e-4,
    )

  def test_specific_features_come_to_tell_their_modality(self):
    _, _, metrics = steps.train(
      dataclasses.replace(steps.CONFIG, methods=('shaspec(domains=5)',)),
      steps=10,
      rate=0.05,
      setup=steps.joint(combiner='shaspec(width=4,dropout=0)'),
    )
    first, last = (
      float(x['shaspec/domains'][0]) for x in (metrics[0], metrics[-1])
    )
    self.assertLess(last, 0.85 * first)

  def test_another_combiner_and_impossible_weights(self):
    with self.assertRaisesRegex(errors.UserError, 'combiner=shaspec'):
      steps.passed('shaspec', steps.joint())
    with self.assertRaisesRegex(errors.UserError, 'at least 0'):
      protocol.create_methods(
        ('shaspec(domains=-1)',),
        task=tiny.task_of(types.BINARY),
        modalities=(),
      )


if __name__ == '__main__':
  absltest.main()
