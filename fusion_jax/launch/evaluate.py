"""Evaluates anyone's predictions: estimates, intervals, comparisons, verdict.

  fusion-jax evaluate --predictions=FILE --reference=ARM --out=DIR
  fusion-jax evaluate --predictions=FILE --singles=ct,labs --out=DIR

FILE is CSV or Parquet with the columns study_id, patient_id, arm, label, score,
and optionally fold, seed, part, weight, subgroup_*: see docs/summary.md. Fusion
is compared with the best of the --singles on the test rows; thresholds and
recalibration come from rows of part 'valid'.
"""

import dataclasses
import pathlib

from absl import flags

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import roles, store
from fusion_jax.core import config as core_config
from fusion_jax.core import errors
from fusion_jax.evaluation import (
  caveats,
  controls,
  curves,
  folds,
  pictures,
  sources,
)
from fusion_jax.evaluation import registration as registration_lib
from fusion_jax.evaluation import summary as summary_lib
from fusion_jax.launch import loudness, output, terminal

_PREDICTIONS = flags.DEFINE_string(
  'predictions', '', 'A .csv or .parquet file of predictions.'
)
_OUT = flags.DEFINE_string('out', '', 'Where summary and report go.')
_REFERENCE = flags.DEFINE_string(
  'reference', '', 'An arm to compare all others with.'
)
_SINGLES = flags.DEFINE_list('singles', [], 'Single-modality arms.')
_FUSIONS = flags.DEFINE_list('fusions', [], 'Fusion arms.')
_INTERVAL = flags.DEFINE_string(
  'interval', None, 'bootstrap (default), bca or delong.'
)
_MARGIN = flags.DEFINE_float('margin', None, 'Of equivalence; default 0.02.')
_METRIC = flags.DEFINE_string(
  'metric', None, "What arms are compared by; default the task's primary one."
)
_REGISTERED = flags.DEFINE_string(
  'registered', None, 'A file that fixed metric, margin, arms and reference.'
)
_PART_COLUMN = flags.DEFINE_string(
  'part_column',
  '',
  'The column that says train, val, test or the like of a row, or '
  'NAME:VALUE=train,VALUE=test; rows of the training part are left out.',
)
_SET = flags.DEFINE_multi_string(
  'set', [], 'NAME=VALUE of an evaluation setting; comes last.'
)


def _config(fixed):
  """The evaluation's settings: registered ones, then flags, then --set."""
  given = {
    'interval': _INTERVAL.value,
    'margin': _MARGIN.value,
    'metric': _METRIC.value,
    'registered': _REGISTERED.value,
  }
  given = {k: v for k, v in given.items() if v is not None}
  if fixed is not None:
    given = {'metric': fixed.metric, 'margin': fixed.margin, **given}
  config = config_lib.ExperimentConfig()
  config = dataclasses.replace(
    config, evaluation=dataclasses.replace(config.evaluation, **given)
  )
  for override in _SET.value:
    group = override.partition('.')[0]
    if group != 'evaluation':
      raise errors.unknown_name(
        'setting', group, ['evaluation'], where=f'--set={override}'
      )
  config = core_config.apply_overrides(config, _SET.value, flag='--set')
  return config.evaluation


def _remove(path: pathlib.Path) -> None:
  try:
    path.unlink(missing_ok=True)
  except OSError as e:
    raise errors.UserError(
      f"Could not remove '{path}': {e.strerror}."
    ) from None


def run() -> int:
  """Does it; returns the exit code."""
  loudness.chosen()
  if not _PREDICTIONS.value or not _OUT.value:
    raise errors.UserError(
      'Give both --predictions=FILE and --out=DIR (see --help).'
    )
  fixed, reference = None, _REFERENCE.value
  if _REGISTERED.value:
    fixed = registration_lib.load(_REGISTERED.value)
    if fixed.reference != registration_lib.BEST_SINGLE:
      reference = reference or fixed.reference
  config = _config(fixed)
  folder = pathlib.Path(_OUT.value)
  if (folder / store.CONFIG).exists():
    raise errors.UserError(
      f"'{folder}' holds a run, which this would overwrite: give another --out."
    )
  source = sources.load(_PREDICTIONS.value, part=_PART_COLUMN.value)
  predictions = source.predictions
  if not _REFERENCE.value and reference and reference not in predictions.arms:
    raise errors.unknown_name(
      'arm',
      reference,
      predictions.arms,
      where=f"reference of '{_REGISTERED.value}'",
    )
  assigned = roles.assign(
    predictions.arms,
    singles=_SINGLES.value,
    fusions=_FUSIONS.value,
    reference=reference,
  )
  summary_lib.check_config(
    predictions.task,
    config,
    folds=len(set(zip(predictions.repeat, predictions.fold, strict=True))),
  )
  store.make_folder(folder)
  mapped = {'part_column': _PART_COLUMN.value} if _PART_COLUMN.value else {}
  common = {
    'singles': assigned.singles,
    'fusions': assigned.fusions,
    'config': config,
    'reference': reference,
  }
  summary = summary_lib.summarise(
    predictions,
    **common,
    warnings=[
      *caveats.of_patients(folds.arrange(predictions)),
      *source.remarks,
      *assigned.warnings,
    ],
    cohort={'name': pathlib.Path(_PREDICTIONS.value).stem},
    run={'predictions': _PREDICTIONS.value, **mapped},
    sections={'controls': controls.summarise(predictions, **common)},
  )
  drawn = curves.of(predictions, config=config)
  drawn = pictures.beside(drawn, predictions, summary=summary, config=config)
  # Gone first and back last: where it is, all else is there and of it. Before
  # anything is printed, since whoever reads that may stop.
  _remove(folder / store.SUMMARY)
  curves.write(drawn, folder / store.CURVES)
  page = output.write(summary, folder)
  summary_lib.write(summary, folder / store.SUMMARY)
  console = terminal.Console()
  for line in source.named:
    console.print(line, soft_wrap=True, markup=False)
  output.show(
    summary,
    page,
    console,
    output.controls(summary),
    level=loudness.chosen(),
  )
  console.print(f'Results: {folder}', soft_wrap=True)
  return 0
