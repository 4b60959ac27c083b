"""Row 3: do an image encoder's features change to complement the record?"""

from collections.abc import Mapping

import numpy as np
from sklearn import linear_model, pipeline, preprocessing

from experiments.studies.table2 import (
  claims,
  criteria,
  measure,
  shared_world,
  work,
)
from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import external, families, frozen
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import folds as folds_lib

TRUE, SHUFFLED = 'shared', 'shuffled'
_ARMS = ('image', 'early_features', 'joint')
# The arm whose image encoder a strategy uses.
_ENCODERS = {
  arm_lib.EARLY: families.EXTRACTOR,
  arm_lib.JOINT: 'joint',
  arm_lib.LATE: 'image',
}
_METRIC = 'r2'
_PENALTIES = np.logspace(-2, 4, 13)


def encode(
  found: external.Run, cohort: cohort_lib.Cohort, arm: str
) -> dict[frozen.Place, np.ndarray]:
  """By place, (n, c) pooled image features; of an extractor its halves."""
  loaded = frozen.Frozen(
    found.config, found.models, store_lib.Store(found.path), cohort
  ).load(arm)
  values = loaded.learner.encode(loaded.trained, loaded.inputs)
  return {
    place: np.concatenate(x, axis=1)
    for place, x in zip(loaded.places, values, strict=True)
  }


def probe(
  x: np.ndarray, target: np.ndarray, split: splits_lib.Split
) -> np.ndarray:
  """Ridge predictions of test rows, fitted on the training rows alone."""
  fitted = pipeline.make_pipeline(
    preprocessing.StandardScaler(), linear_model.RidgeCV(_PENALTIES)
  ).fit(x[split.train], target[split.train])
  return fitted.predict(x[split.test])


def probed(
  features: Mapping[str, Mapping[frozen.Place, np.ndarray]],
  cohort: cohort_lib.Cohort,
  splits: list[splits_lib.Split],
  target: np.ndarray,
  replicates: int,
) -> measure.Areas:
  """Explained variance of the target by each set of features."""
  folds = []
  for split in splits:
    rows = split.test
    order = np.argsort(cohort.study[rows])
    at = rows[order]
    scores = {
      name: {
        0: probe(by_place[split.repeat, split.fold, 0], target, split)[
          order, None
        ]
      }
      for name, by_place in features.items()
    }
    folds.append(
      folds_lib.Fold(
        repeat=split.repeat,
        fold=split.fold,
        study=cohort.study[at],
        patient=cohort.patient[at],
        labels=target[at, None],
        weight=np.ones(len(at)),
        complete=np.ones(len(at), bool),
        scores=scores,
      )
    )
  task = types.Task(types.REGRESSION, ('own',))
  return measure.Areas(task, folds, replicates=replicates, metric=_METRIC)


def change(
  before: Mapping[frozen.Place, np.ndarray],
  after: Mapping[frozen.Place, np.ndarray],
) -> float:
  """Largest change of a feature, in units of the features' deviation."""
  return max(
    float(np.abs(before[p] - after[p]).max() / (before[p].std() or 1.0))
    for p in before
  )


def run(at: work.Work) -> claims.Row:
  """Trains with true records and with records exchanged among patients."""
  s = at.settings
  features, material = {}, None
  for name in (TRUE, SHUFFLED):
    folder = shared_world.write(
      at.folder / 'cohorts' / name,
      n=s.n,
      size=s.size,
      seed=0,
      shuffled=name == SHUFFLED,
    )
    config = at.config(str(folder), _ARMS, n=0, image_size=0)
    found = at.run(name, config)
    cohort, splits = measure.opened(found)
    features[name] = {
      arm: encode(found, cohort, arm) for arm in _ENCODERS.values()
    }
    latent = shared_world.own_latent(folder)
    target = np.array([latent[x] for x in cohort.study.tolist()])
    material = cohort, splits, target
  r2 = probed(
    {
      'alone': features[TRUE]['image'],
      'joint': features[TRUE]['joint'],
      'joint_shuffled': features[SHUFFLED]['joint'],
    },
    *material,
    replicates=s.replicates,
  )
  checks = {}
  for strategy in (arm_lib.EARLY, arm_lib.LATE):
    arm = _ENCODERS[strategy]
    moved = change(features[TRUE][arm], features[SHUFFLED][arm])
    checks[strategy] = [
      claims.Check(
        f'encoder of {arm}',
        'largest change of its features when records are exchanged, in '
        'standard deviations',
        claims.NO,
        criteria.depends(moved),
        moved,
      )
    ]
  details = measure.by_arm(
    {x: r2[x] for x in ('alone', 'joint', 'joint_shuffled')}
  )
  checks[arm_lib.JOINT] = []
  for other, about in (
    ('alone', 'against the encoder trained alone'),
    ('joint_shuffled', 'against joint training with exchanged records'),
  ):
    numbers = (r2['joint'] - r2[other]).numbers()
    checks[arm_lib.JOINT].append(
      claims.Check(
        'joint',
        about,
        claims.YES,
        criteria.more_compatible(numbers['low'], numbers['high']),
        **numbers,
        details=details,
      )
    )
  return claims.Row(
    setup=f'A cohort of {s.n} studies whose images show two latents, one of '
    'which the record shows as well; again with the records exchanged among '
    'patients. A linear probe, fitted on training studies, reads the other '
    "latent from the image encoder's pooled features of test studies.",
    measure="explained variance (R2), joint training's encoder less the other",
    criterion='joint: more compatible if the interval lies above 0, not if '
    f'below {criteria.R2_MARGIN}; early and late: not, if no feature changes '
    'with the records',
    checks=checks,
  )
