"""A small run with arms of every learner, and what it came to."""

import hashlib
import io
import json
import pathlib
from typing import Any

import pyarrow.parquet as pq
import rich.console

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import external, robustness, runner
from fusion_jax.ablation import progress as progress_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import config as core_config

# Trained by epochs.
NEURAL = ('ehr', 'early_raw')
ARMS = (
  *(*NEURAL, 'ehr_linear', 'ehr_trees', 'ehr_kernel'),
  *('image_pca', 'late_stack'),
)
EPOCHS = 6
_DEFINED = {
  'late_stack': 'late_stack(image=image_pca,ehr=ehr_linear)',
  'ehr_kernel': 'ehr_linear(learner=kernel)',
}
_SETTINGS = (
  f'run_arms={",".join(ARMS)}',
  'cohort.n=120',
  'cohort.image_size=16',
  'splits.folds=2',
  'evaluation.replicates=60',
  f'training.epochs={EPOCHS}',
  f'training.patience={EPOCHS}',
  'training.least_steps=0',
  'training.least_patience=0',
  'preprocess.pixel_components=4',
  'parallel.devices=1',
  'audits.names=none',
)


def config() -> config_lib.ExperimentConfig:
  """Of the small run."""
  return core_config.apply_overrides(
    config_lib.ExperimentConfig(arms=_DEFINED), _SETTINGS, flag='--set'
  )


def run(
  folder: pathlib.Path, progress: progress_lib.Progress | None = None
) -> str:
  """Makes or resumes the run, without its page, which nothing reads again.

  Returns:
    What was shown while it ran.

  Raises:
    RuntimeError: if an arm failed.
  """
  shown = io.StringIO()
  if progress is None:
    progress = progress_lib.Progress(_quiet(shown))
  report = runner.run(config(), store_lib.Store(folder), progress)
  if report.failures or report.summary is None:
    raise RuntimeError(f'Arms failed: {report.failures}.')
  return shown.getvalue()


def extend(folder: pathlib.Path) -> None:
  """Adds curves of missing modalities, for which nothing is trained."""
  robustness.extend(
    external.open_run(folder),
    train_missing=(),
    fractions=(),
    arms=(),
    progress=progress_lib.Progress(_quiet(io.StringIO())),
  )


def predict(folder: pathlib.Path, out: pathlib.Path) -> None:
  """Applies the run's models to other patients of its world."""
  found = external.open_run(folder)
  cohort = external.cohort_config(found, name=found.config.cohort.name)
  other = core_config.apply_overrides(cohort, ('n=60', 'seed=1'), flag='--set')
  settings = core_config.to_dict(found.config) | {
    'cohort': core_config.to_dict(other)
  }
  external.apply(
    found,
    core_config.from_dict(config_lib.ExperimentConfig, settings),
    out,
  )


def _quiet(shown: io.StringIO) -> rich.console.Console:
  return rich.console.Console(file=shown, highlight=False, width=10_000)


def results(folder: pathlib.Path) -> dict[str, str]:
  """By name, a hash of what the run came to, but for how long it took."""
  summary = _read(folder / store_lib.SUMMARY)
  # Fronts over seconds differ as the seconds do.
  for name in ('run', 'tradeoffs'):
    summary.pop(name, None)
  for arm in summary['arms'].values():
    arm['cost'] = {
      k: x for k, x in arm['cost'].items() if not k.endswith('seconds')
    }
  table = pq.read_table(folder / store_lib.PREDICTIONS)
  found = {
    store_lib.SUMMARY: _hash(json.dumps(summary, sort_keys=True)),
    store_lib.PREDICTIONS: _hash(repr(table.to_pydict())),
  }
  if (folder / store_lib.MODELS).is_file():
    models = _read(folder / store_lib.MODELS)
    found[store_lib.MODELS] = _hash(json.dumps(models, sort_keys=True))
  store = store_lib.Store(folder)
  for node in sorted(folder.glob('nodes/[!.]*')):
    arrays = store.read(node.name).arrays
    text = repr([(k, x.shape, x.tobytes()) for k, x in sorted(arrays.items())])
    found[node.name] = _hash(text)
  return found


def arms_of_nodes(folder: pathlib.Path) -> dict[str, list[str]]:
  """By arm, the keys of its nodes, fold by fold."""
  store = store_lib.Store(folder)
  found: dict[str, list[tuple[int, str]]] = {}
  for node in folder.glob('nodes/[!.]*'):
    record = store.record(node.name)
    found.setdefault(record['arm'], []).append((record['fold'], node.name))
  return {arm: [key for _, key in sorted(x)] for arm, x in found.items()}


def _read(path: pathlib.Path) -> dict[str, Any]:
  return json.loads(path.read_text(encoding='utf-8'))


def _hash(text: str) -> str:
  return hashlib.sha256(text.encode()).hexdigest()
