"""The recipe that anyone would try first, from scikit-learn alone.

Thirty whitened principal components of the pixels, the record with medians,
indicators of what is missing and one-hot levels, and a logistic regression
whose L2 penalty is chosen by a cross-validation over patients. It shares no
code with the arms that it is held against.
"""

import warnings

import numpy as np
from sklearn import (
  compose,
  decomposition,
  exceptions,
  impute,
  linear_model,
  model_selection,
  pipeline,
  preprocessing,
)

from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import splits as splits_lib
from fusion_jax.data.kinds import image, table

COMPONENTS = 30
INNER_FOLDS = 5
PENALTIES = np.logspace(-4, 1, 11)
# By name of the recipe, whether it sees the image and the record.
INPUTS = {
  'plain_image': (True, False),
  'plain_ehr': (False, True),
  'plain_both': (True, True),
}


def scores(
  cohort: cohort_lib.Cohort, split: splits_lib.Split, name: str
) -> np.ndarray:
  """(test,) probabilities of the test studies of a binary cohort.

  Fitted on the training and the validation part together.

  Args:
    cohort: the studies, all with an image.
    split: which are fitted on and which are predicted.
    name: one of INPUTS.
  """
  rows = np.concatenate([split.train, split.valid])
  image, ehr = INPUTS[name]
  blocks = []
  if image:
    blocks.append(_pixels(cohort, rows))
  if ehr:
    blocks.append(_record(cohort, rows))
  x = np.concatenate(blocks, axis=1)
  scale = preprocessing.StandardScaler().fit(x[rows])
  x = scale.transform(x)
  y = cohort.labels[:, 0].astype(int)
  inner = model_selection.StratifiedGroupKFold(
    INNER_FOLDS, shuffle=True, random_state=0
  )
  model = linear_model.LogisticRegressionCV(
    Cs=PENALTIES,
    cv=list(inner.split(x[rows], y[rows], cohort.patient[rows])),
    scoring='neg_log_loss',
    l1_ratios=(0.0,),
    use_legacy_attributes=False,
    max_iter=5000,
  )
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    model.fit(x[rows], y[rows])
  return model.predict_proba(x[split.test])[:, 1]


def _pixels(cohort, rows) -> np.ndarray:
  """(n, k) whitened components of the mean image of each study."""
  x = cohort.modalities[types.IMAGE]
  count = image.mask(x).sum(axis=1)[:, None, None, None]
  pixels = x.given(x.data.images).astype(np.float32)
  flat = (pixels.sum(axis=1) / count).reshape(len(cohort), -1)
  pca = decomposition.PCA(
    min(COMPONENTS, len(rows) - 1),
    whiten=True,
    svd_solver='randomized',
    random_state=0,
  )
  return pca.fit(flat[rows]).transform(flat)


def _record(cohort, rows) -> np.ndarray:
  """(n, p) numbers with medians and indicators, levels one-hot."""
  x = cohort.modalities[types.EHR]
  numbers, levels = table.numeric(x), table.categorical(x).copy()
  numeric = numbers.shape[1]
  levels[np.equal(levels, None)] = 'missing'
  cells = np.concatenate([numbers.astype(object), levels], axis=1)
  columns = compose.ColumnTransformer(
    [
      (
        'numbers',
        pipeline.make_pipeline(
          preprocessing.FunctionTransformer(_as_float),
          impute.SimpleImputer(strategy='median', add_indicator=True),
        ),
        list(range(numeric)),
      ),
      (
        'levels',
        preprocessing.OneHotEncoder(
          handle_unknown='ignore', sparse_output=False
        ),
        list(range(numeric, cells.shape[1])),
      ),
    ]
  ).fit(cells[rows])
  return np.asarray(columns.transform(cells), np.float64)


def _as_float(x):
  return np.asarray(x, np.float64)
