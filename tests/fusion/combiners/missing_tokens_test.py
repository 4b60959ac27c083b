import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.fusion import protocol, tokens
from tests.fusion import examples


class MissingTokensTest(absltest.TestCase):
  def test_what_is_absent_is_a_vector_of_its_own(self):
    found, present = examples.features(ct=3, labs=2)
    params, logits, _ = examples.run(
      'missing_tokens(combiner=concat(hidden=(5,)))', found, present
    )
    columns = [
      np.where(
        np.asarray(present[m])[:, None],
        found[m].pooled,
        params[f'token_{m}'],
      )
      for m in ('ct', 'labs')
    ]
    x = np.concatenate([*columns, np.ones((examples.B, 2))], axis=1)
    own = params['combiner']
    hidden = examples.relu(examples.dense(own['Dense_0'], x))
    np.testing.assert_allclose(
      logits, examples.dense(own['head'], hidden), atol=1e-5
    )

  def test_of_tokens_it_is_the_only_one(self):
    given, present = examples.features(tokens=3, ct=4)
    found = tokens.filled(given['ct'], present['ct'], jnp.arange(4.0))
    gone = ~np.asarray(present['ct'])
    np.testing.assert_array_equal(
      found.token_mask[gone], [[True, False, False]] * gone.sum()
    )
    np.testing.assert_array_equal(found.pooled[gone], [np.arange(4)] * 2)
    np.testing.assert_array_equal(
      found.tokens[gone][:, 0], [np.arange(4)] * gone.sum()
    )
    for name in ('pooled', 'tokens', 'token_mask'):
      np.testing.assert_array_equal(
        getattr(found, name)[~gone], getattr(given['ct'], name)[~gone]
      )

  def test_claims_are_those_of_what_it_wraps(self):
    def claims(text):
      return protocol.claims_of(text)

    self.assertTrue(claims('missing_tokens')['interactions'])
    self.assertFalse(
      claims('missing_tokens(combiner=additive)')['interactions']
    )
    twice = 'missing_tokens(combiner=reconstruction(combiner=additive))'
    self.assertFalse(claims(twice)['interactions'])
    self.assertTrue(claims(twice)['missing'])
    self.assertEqual(claims('gated'), protocol.COMBINERS.get('gated').claims)

  def test_an_unknown_combiner(self):
    with self.assertRaisesRegex(errors.UserError, 'concat'):
      protocol.COMBINERS.build('missing_tokens(combiner=concta)', num_outputs=1)


if __name__ == '__main__':
  absltest.main()
