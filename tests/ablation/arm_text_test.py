"""Tests of arms that users define."""

from absl.testing import absltest, parameterized

from fusion_jax.ablation import arm_text, families, views
from fusion_jax.core import errors
from tests.ablation import config_test

KNOWN = families.review(families.USUAL)


def known(*definitions):
  return config_test.config(*[f'--arm={x}' for x in definitions]).known_arms


class DefineTest(parameterized.TestCase):
  def test_parts_and_settings(self):
    found = known(
      'mine=joint(image=resnet(depth=2),combiner=concat(hidden=(32,)),'
      'epochs=5,learning_rate=1,class_balance=balanced,augment=false)'
    )
    mine = found['mine']
    self.assertEqual(mine.inputs['image'].encoder, 'resnet(depth=2)')
    self.assertEqual(mine.inputs['ehr'], KNOWN['joint'].inputs['ehr'])
    self.assertEqual(mine.combiner, 'concat(hidden=(32,))')
    self.assertEqual(
      mine.train,
      {
        'epochs': 5,
        'learning_rate': 1.0,
        'class_balance': 'balanced',
        'augment': False,
      },
    )
    self.assertIsInstance(mine.train['learning_rate'], float)
    self.assertStartsWith(mine.summary, 'joint(image=resnet(depth=2)')
    self.assertEqual({k: v for k, v in found.items() if k != 'mine'}, KNOWN)

  def test_the_settings_are_those_of_the_learner(self):
    config = config_test.config(
      '--arm=deep=ehr_trees(max_leaf_nodes=31)',
      '--arm=long=ehr(epochs=90)',
      'classical.l2=3',
    )
    deep, long = (config.known_arms[x] for x in ('deep', 'long'))
    self.assertEqual(config.settings_of(deep).max_leaf_nodes, 31)
    self.assertEqual(config.settings_of(deep).l2, 3)
    self.assertEqual(config.settings_of(long).epochs, 90)
    self.assertEqual(config.inner_folds_of(deep), 5)
    with self.assertRaises(ValueError):
      config.settings_of(config.known_arms['late_mean'])

  def test_other_arms_below(self):
    found = known(
      'small=image(image=resnet(widths=(8,16)))',
      'late=late_mean(image=small,ehr=ehr_trees,rule=weighted)',
    )
    self.assertEqual(found['late'].upstream, ('small', 'ehr_trees'))
    self.assertEqual(found['late'].rule, 'weighted')

  def test_another_view(self):
    found = known(
      'flat=extractor(image=reduced(encoder=raw))',
      'two=early_trees(image=features(of=flat))',
      'seen=early_raw(image=raw(encoder=resnet))',
    )
    self.assertEqual(found['flat'].inputs['image'].view, views.REDUCED)
    self.assertEqual(found['two'].upstream, ('flat',))
    self.assertEqual(found['seen'].inputs['image'].view, views.RAW)
    self.assertEqual(found['seen'].inputs['image'].encoder, 'resnet')

  def test_exchanges_and_methods(self):
    found = known(
      'film=joint(exchange_1=film(onto=(image,)),'
      'methods=(modality_dropout,ogm_ge),optimizer=sgd(momentum=.5))'
    )['film']
    self.assertEqual(found.exchanges, {1: 'film(onto=(image,))'})
    self.assertEqual(found.train['methods'], ('modality_dropout', 'ogm_ge'))
    for text, message in (
      ('joint(exchange_1=flim)', r'arms.x.exchange_1\). Did you mean'),
      ('ehr(exchange_1=film)', 'encode several modalities'),
      ('early_features(exchange_1=film)', 'encode several modalities'),
      ('joint(methods=(ogm_g,))', "Did you mean 'ogm_ge'"),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        config_test.config_lib.check(config_test.config(f'--arm=x={text}'))

  def test_the_type_follows_from_the_parts(self):
    found = known('x=joint(ehr=raw)', 'y=joint_raw_ehr(ehr=mlp(width=8))')
    self.assertEqual((found['x'].type, found['y'].type), ('II', 'I'))

  def test_another_learner_reads_what_the_arm_reads(self):
    found = known(
      'x=early_pca(learner=kernel,inner_folds=3)',
      'y=ehr_linear(learner=trees,l2=3)',
      'z=x(learner=elastic_net)',
    )
    self.assertEqual(
      [found[k].learner for k in 'xyz'], ['kernel', 'trees', 'elastic_net']
    )
    self.assertEqual(found['x'].inputs, found['early_pca'].inputs)
    self.assertEqual(found['x'].train, {'inner_folds': 3})
    self.assertEqual(found['z'].train, {'inner_folds': 3})
    self.assertEqual(found['y'].train, {'l2': 3})

  def test_a_known_name_takes_its_place_below_others_too(self):
    found = known('extractor=extractor(image=resnet(depth=2))')
    self.assertEqual(found['early_trees'].upstream, ('extractor',))
    self.assertEqual(
      found['extractor'].inputs['image'].encoder, 'resnet(depth=2)'
    )

  @parameterized.parameters(
    ('x=jiont()', r"Unknown arm 'jiont' \(arms.x\). Did you mean 'joint'"),
    ('x=joint(imagee=resnet)', r"'imagee' \(arms.x\). Did you mean 'image'"),
    ('x=joint(image=resnett)', r"\(arms.x.image\). Did you mean 'resnet'"),
    ('x=joint(image=resnet(dept=2))', r"'dept' \(arms.x.image\).*'depth'"),
    ('x=joint(combiner=concta)', r"\(arms.x.combiner\). Did you mean 'conc"),
    ('x=joint(rule=mean)', "Unknown part of arm 'joint' 'rule'"),
    ('x=joint(epoch=3)', "Did you mean 'epochs'"),
    ('x=joint(epochs=3.5)', 'arms.x=epochs=3.5.: expected a whole number'),
    ('x=joint(epochs=0)', 'arms.x: training.epochs=0: expected'),
    ('x=joint(image=3)', 'arms.x.image: expected a part'),
    ('x=joint(image=features(of=extractr,encoder=raw))', "mean 'extractor'"),
    ('x=joint(image=features(off=extractor))', "Did you mean 'of'"),
    ('x=late_mean(image=imag)', r"Unknown arm 'imag' \(arms.x.image\)"),
    ('x=late_mean(image=image(a=1))', 'expected the name of an arm'),
    ('x=late_mean(rule=mena)', r"\(arms.x.rule\). Did you mean 'mean'"),
    ('x=ehr_trees(epochs=3)', "Unknown part of arm 'ehr_trees' 'epochs'"),
    ('x=joint(image=resnet', r'is no part such as.*expected'),
    ('x=ehr_linear(learner=kernl)', r"x.learner\). Did you mean 'kernel'"),
    ('x=ehr_linear(learner=neural)', "Unknown learner 'neural'.*trees"),
    ('x=late_mean(learner=trees)', "Unknown learner 'trees'"),
    ('x=ehr_linear(learner=kernel,l1_ratio=1)', "'ehr_linear' 'l1_ratio'"),
  )
  def test_errors_name_the_place_and_the_nearest(self, text, message):
    with self.assertRaisesRegex(errors.UserError, message):
      config_test.config_lib.check(config_test.config(f'--arm={text}'))

  @parameterized.parameters('joint', 'x=', '=joint', 'a b=joint', '1x=joint()')
  def test_no_definition(self, text):
    with self.assertRaisesRegex(errors.UserError, 'expected NAME=ARM'):
      arm_text.split(text)

  def test_names_in_a_file_are_checked_too(self):
    config = config_test.config_lib.ExperimentConfig(arms={'a/b': 'joint'})
    with self.assertRaisesRegex(errors.UserError, 'arms.a/b: the name'):
      config_test.config_lib.check(config)


if __name__ == '__main__':
  absltest.main()
