"""Tests of the transformer in which absent modalities are masked."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest

from fusion_jax.fusion import protocol
from tests.fusion import examples

SPEC = 'masked_transformer(width=4,heads=2)'


class MaskedTransformerTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.found, self.present = examples.features(ct=3, labs=2, note=4)
    self.params, self.logits, self.out = examples.run(
      SPEC, self.found, self.present
    )

  @pytest.mark.slow
  def test_a_study_is_one_of_a_model_that_knows_only_what_it_has(self):
    """The same parameters without the other modalities' layers."""
    combiner = protocol.COMBINERS.build(SPEC, num_outputs=2)
    for study, names in ((1, ('ct',)), (2, ('labs', 'note'))):
      params = {
        **self.params,
        'embed': {m: self.params['embed'][m] for m in names},
      }
      found = {
        m: jax.tree.map(lambda x, k=study: x[k : k + 1], self.found[m])
        for m in names
      }
      logits, out = combiner.apply(
        {'params': params},
        found,
        {m: jnp.ones(1, bool) for m in names},
        train=False,
      )
      np.testing.assert_allclose(
        self.logits[study], logits[0], rtol=1e-4, atol=1e-5
      )
      shares = self.out['attention'][study]
      here = [m in names for m in ('ct', 'labs', 'note')]
      np.testing.assert_allclose(
        shares[here], out['attention'][0], rtol=1e-4, atol=1e-5
      )
      np.testing.assert_array_equal(shares[np.logical_not(here)], 0)

  def test_shares_add_up(self):
    np.testing.assert_allclose(
      self.out['attention'].sum(1), [1, 1, 1, 0], atol=1e-5
    )

  @pytest.mark.slow
  def test_layers_of_the_absent_have_no_gradient(self):
    combiner = protocol.COMBINERS.build(SPEC, num_outputs=2)
    present = {**self.present, 'labs': jnp.zeros(4, bool)}

    def loss(params):
      logits, _ = combiner.apply(
        {'params': params}, self.found, present, train=False
      )
      return (logits**2).sum()

    found = jax.grad(loss)(self.params)['embed']
    for x in jax.tree.leaves(found['labs']):
      np.testing.assert_array_equal(x, 0)
    self.assertGreater(float(abs(found['note']['kernel']).max()), 0)


if __name__ == '__main__':
  absltest.main()
