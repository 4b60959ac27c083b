"""Families of arms: functions that make arms for a cohort's modalities.

Each side of a cohort, imaging and record, has single-modality arms that see all
of the side; fusion arms see all modalities; late rules join the predictions of
the two sides. Where a side has several modalities each has an arm of its own
too.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import views
from fusion_jax.core import errors, types
from fusion_jax.data import kind as kind_lib
from fusion_jax.encoders import protocol
from fusion_jax.training import pretrained as pretrained_lib

EXTRACTOR, PRETRAINED = 'extractor', 'pretrained'
# By kind, the layout whose package brings weights for it.
_PACKAGED = {'image': 'efficientnet_lite0'}
# The name of the arm that sees all of a side.
IMAGE, EHR = types.IMAGE, types.EHR
_TWO_LAYERS = 'concat(hidden=(64,64))'

Input = arm_lib.Input
Inputs = dict[str, Input]


# What cohorts hold that do not describe their modalities.
USUAL = (
  arm_lib.Modality(types.IMAGE, 'image', arm_lib.IMAGING),
  arm_lib.Modality(types.EHR, 'table', arm_lib.RECORD),
)


def review(modalities: Sequence[arm_lib.Modality]) -> dict[str, arm_lib.Arm]:
  """The arms of the review (Huang et al. 2020), in the order of the table.

  Args:
    modalities: of a cohort.

  Returns:
    Arms by name, those that train for others last. Where one side has no
    modality there are single-modality arms only.

  Raises:
    UserError: as `check` does, or for a modality whose name would give two arms
      one name.
  """
  check(modalities)
  sides = {s: [m for m in modalities if m.side == s] for s in arm_lib.SIDES}
  imaging, record = sides.values()
  found = [*_imaging(imaging), *_record(record)]
  found.sort(key=lambda x: _SINGLES.index(x[0]) if x[0] in _SINGLES else 99)
  if imaging and record:
    found += _fusion(imaging, record)
  found += [*_extractors(imaging), *_encoders(imaging)]
  arms = dict(found)
  if len(arms) < len(found):
    names = [name for name, _ in found]
    twice = next(x for x in names if names.count(x) > 1)
    raise errors.UserError(
      f"Two arms would be called '{twice}': give a modality another name."
    )
  return arms


def pretrained(
  modalities: Sequence[arm_lib.Modality],
) -> dict[str, arm_lib.Arm]:
  """Arms on features of encoders with published weights, as they are.

  Args:
    modalities: of a cohort.

  Returns:
    Arms by name, with those they stand on: of the imaging side alone, of all
    modalities, and of the predictions of both sides, by ridge regressions and
    by gradient boosting. None where no modality is of a kind with weights.

  Raises:
    UserError: as `check` does.
  """
  check(modalities)
  sides = {s: [m for m in modalities if m.side == s] for s in arm_lib.SIDES}
  imaging, record = sides.values()
  if not any(m.kind in _PACKAGED for m in imaging):
    return {}
  seen, raw = _published(imaging), _flat(record)
  image, own = f'{IMAGE}_{PRETRAINED}', 'pretrained features'
  found = {}
  # Features are many and all tell a little: a penalty that drops most of them
  # loses (PAD-UFES-20: AUROC .836 by ridge, .822 by an elastic net of half).
  for suffix, learner, words, train in (
    ('', 'elastic_net', 'ridge', {'l1_ratio': 0.0}),
    ('_trees', 'trees', 'gradient boosting', {}),
  ):

    def make(summary, strategy, inputs, learner=learner, train=train):
      made = _classical(summary, strategy, learner, inputs)
      return dataclasses.replace(made, train=train)

    found[image + suffix] = make(f'{words} on {own}', arm_lib.SINGLE, seen)
    if record:
      found[f'early_{PRETRAINED}{suffix}'] = make(
        f'{own} and EHR into {words}', arm_lib.EARLY, {**seen, **raw}
      )
      found[f'late_{PRETRAINED}{suffix}'] = _late(
        'mean',
        f'mean of {words} on {own} and of the EHR arm',
        imaging,
        record,
        image + suffix,
        f'{EHR}{suffix or "_linear"}',
      )
  below = {
    k: x for k, x in _record(record) if k in (f'{EHR}_linear', f'{EHR}_trees')
  }
  return {**found, **below, **dict(_encoders(imaging))}


def check(modalities: Sequence[arm_lib.Modality]) -> None:
  """Checks what arms are to be made for.

  Raises:
    UserError: for a modality of an unknown kind or side, or that is called as
      a side is of which it is not all.
  """
  for m in modalities:
    for what, value, known in (
      ('kind', m.kind, kind_lib.KINDS.names()),
      ('side', m.side, arm_lib.SIDES),
    ):
      if value not in known:
        raise errors.unknown_name(
          f'{what} of modality', value, known, where=f"modality '{m.name}'"
        )
    side = types.SIDES.get(m.name)
    others = [x.name for x in modalities if x.side == side and x != m]
    if side and (m.side != side or others):
      raise errors.UserError(
        f"Modality '{m.name}': arms and conditions of that name are of all "
        f"modalities of the side '{side}', and it is not all of that: give it "
        'another name.'
      )


# The order in which the singles of both sides are listed.
_SINGLES = (
  IMAGE,
  EHR,
  'ehr_linear',
  'ehr_trees',
  'image_linear',
  'image_pca',
)


def _imaging(ms):
  if not ms:
    return
  yield IMAGE, _alone('image encoder alone', ms)
  yield (
    'image_linear',
    _classical(
      "elastic net on a frozen image encoder's features",
      arm_lib.SINGLE,
      'elastic_net',
      _features(ms),
    ),
  )
  yield (
    'image_pca',
    _classical(
      'elastic net on PCA of pixels and a colour histogram',
      arm_lib.SINGLE,
      'elastic_net',
      _flat(ms),
    ),
  )
  yield from _each(IMAGE, ms)


def _record(ms):
  if not ms:
    return
  yield EHR, _alone('EHR encoder alone', ms)
  yield (
    'ehr_linear',
    _classical(
      'elastic net on the EHR', arm_lib.SINGLE, 'elastic_net', _flat(ms)
    ),
  )
  yield (
    'ehr_trees',
    _classical(
      'gradient boosting on the EHR', arm_lib.SINGLE, 'trees', _flat(ms)
    ),
  )
  yield from _each(EHR, ms)


def _each(side, ms):
  """One arm for each modality of a side that has several."""
  for m in ms if len(ms) > 1 else ():
    yield f'{side}_{m.name}', _alone(f'encoder of {m.name} alone', [m])


def _fusion(imaging, record):
  image, ehr = _learned(imaging), _learned(record)
  reduced, features = _flat(imaging), _features(imaging)
  raw = _flat(record)
  plain = _plain(raw)
  yield (
    'early_raw',
    _neural(
      'reduced pixels and raw EHR into one MLP',
      arm_lib.EARLY,
      {**_plain(reduced), **plain},
      _TWO_LAYERS,
    ),
  )
  yield (
    'early_pca',
    _classical(
      'reduced pixels and raw EHR into one elastic net',
      arm_lib.EARLY,
      'elastic_net',
      {**reduced, **raw},
    ),
  )
  yield (
    'early_features',
    _neural(
      'frozen image features and raw EHR into one MLP',
      arm_lib.EARLY,
      {**_plain(features), **plain},
      _TWO_LAYERS,
    ),
  )
  yield (
    'early_trees',
    _classical(
      'frozen image features and EHR into gradient boosting',
      arm_lib.EARLY,
      'trees',
      {**features, **raw},
    ),
  )
  for name, summary, inputs, combiner in (
    (
      'joint',
      'both encoders and an MLP head trained together',
      {**image, **ehr},
      'concat',
    ),
    (
      'joint_raw_ehr',
      'image encoder and MLP head trained together, raw EHR',
      {**image, **plain},
      'concat',
    ),
    (
      'joint_additive',
      'both encoders and one linear layer: additive, no interactions',
      {**image, **ehr},
      'additive',
    ),
  ):
    yield name, _neural(summary, arm_lib.JOINT, inputs, combiner)
  for rule, summary in (
    ('mean', 'mean of the two predictions'),
    ('vote', 'vote of the two predictions'),
    ('weighted', 'weighted mean, weights from validation'),
    ('stack', 'meta-classifier on the two predictions'),
  ):
    yield f'late_{rule}', _late(rule, summary, imaging, record, IMAGE, EHR)
  yield (
    'late_linear',
    _late(
      'mean',
      'mean of two elastic nets',
      imaging,
      record,
      'image_pca',
      'ehr_linear',
    ),
  )


def _extractors(imaging):
  for m in imaging:
    if not kind_lib.get(m.kind).plain:
      yield (
        _extractor(m, imaging),
        _neural(
          'image encoders trained on either half of the training part',
          arm_lib.UPSTREAM,
          _learned([m]),
          'additive',
        ),
      )


def _extractor(m, imaging) -> str:
  extracted = [x for x in imaging if not kind_lib.get(x.kind).plain]
  return EXTRACTOR if len(extracted) == 1 else f'{EXTRACTOR}_{m.name}'


def _encoders(imaging):
  """Upstream arms of published weights, one for each modality with some."""
  for m in imaging:
    if m.kind in _PACKAGED:
      name = _PACKAGED[m.kind]
      package = pretrained_lib.LAYOUTS.build(name).package
      encoder = {m.name: Input(m.kind, package.encoder)}
      source = f'{m.name}={name}:{pretrained_lib.PACKAGE}'
      yield (
        _encoder(m, imaging),
        arm_lib.Arm(
          'image encoders as published',
          arm_lib.UPSTREAM,
          'pretrained',
          encoder,
          combiner='additive',
          train={'init': (source,)},
        ),
      )


def _encoder(m, imaging) -> str:
  several = sum(x.kind in _PACKAGED for x in imaging) > 1
  return f'{PRETRAINED}_{m.name}' if several else PRETRAINED


def _published(imaging) -> Inputs:
  """Modalities as published encoders see them, where there is one."""
  found = _flat(imaging)
  for m in imaging:
    if m.kind in _PACKAGED:
      of = _encoder(m, imaging)
      found[m.name] = Input(m.kind, of=of, view=views.PRETRAINED)
  return found


def _neural(summary, strategy, inputs, combiner) -> arm_lib.Arm:
  kind = arm_lib.review_type(strategy, inputs)
  return arm_lib.Arm(summary, strategy, 'neural', inputs, kind, combiner)


def _classical(summary, strategy, learner, inputs) -> arm_lib.Arm:
  kind = arm_lib.review_type(strategy, inputs)
  return arm_lib.Arm(summary, strategy, learner, inputs, kind)


def _alone(summary, ms) -> arm_lib.Arm:
  # Fusion arms may let all modalities interact: so may a side's own arm.
  combiner = 'additive' if len(ms) == 1 else 'concat'
  return _neural(summary, arm_lib.SINGLE, _learned(ms), combiner)


def _late(rule, summary, imaging, record, image, ehr) -> arm_lib.Arm:
  inputs = {
    m.name: Input(m.kind, of=arm, view=views.LOGITS)
    for ms, arm in ((imaging, image), (record, ehr))
    for m in ms
  }
  return arm_lib.Arm(summary, arm_lib.LATE, 'rule', inputs, rule=rule)


def _learned(ms) -> Inputs:
  """Modalities with the encoders that are trained on them."""
  return {m.name: Input(m.kind, protocol.default(m.kind)) for m in ms}


def _flat(ms) -> Inputs:
  """Modalities as they are, or reduced where they cannot be joined so."""
  return {
    m.name: Input(
      m.kind,
      view=views.RAW if kind_lib.get(m.kind).plain else views.REDUCED,
    )
    for m in ms
  }


def _features(ms) -> Inputs:
  """Modalities as frozen encoders see them, where there is one."""
  found = _flat(ms)
  for m in ms:
    if not kind_lib.get(m.kind).plain:
      of = _extractor(m, ms)
      found[m.name] = Input(m.kind, of=of, view=views.FEATURES)
  return found


def _plain(inputs: Inputs) -> Inputs:
  """The same inputs for a network that learns no encoder for them."""
  return {
    m: dataclasses.replace(x, encoder=arm_lib.PLAIN) for m, x in inputs.items()
  }


# By name, what makes a family's arms.
FAMILIES: Mapping[
  str, Callable[[Sequence[arm_lib.Modality]], dict[str, arm_lib.Arm]]
] = {'review': review, 'pretrained': pretrained}
REVIEW = 'review'


def make(
  families: Sequence[str], modalities: Sequence[arm_lib.Modality]
) -> dict[str, arm_lib.Arm]:
  """The arms of several families, in their order.

  Raises:
    UserError: for an unknown family.
  """
  found: dict[str, arm_lib.Arm] = {}
  for name in families:
    if name not in FAMILIES:
      raise errors.unknown_name('family', name, FAMILIES, where='families')
    found.update(FAMILIES[name](modalities))
  return found
