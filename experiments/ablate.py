"""Trains every arm on a cohort and compares fusion with single modalities.

  python -m experiments.ablate
  python -m experiments.ablate --cohort=DIR_OR_TOML --folds=5 --seeds=2
  python -m experiments.ablate --arms=image,ehr,joint --set=training.epochs=50

The same command goes on where it stopped. A saved RUN/config.json is a --config
too. Names for --set are in docs/configuration.md.
"""

import pathlib
import sys

import rich.console
from absl import flags

from experiments import launch, output, settings
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import progress, runner, store
from fusion_jax.parallel import cache

_COHORT = flags.DEFINE_string(
  'cohort', None, 'A built-in world, a folder with cohort.toml, or a .toml.'
)
_DATA_ROOT = flags.DEFINE_string(
  'data_root', None, "Where a .toml file's table and images are."
)
_OUT = flags.DEFINE_string(
  'out', '', 'The run folder; empty for runs/COHORT-HASH.'
)
_ARMS = flags.DEFINE_string(
  'arms', None, 'Comma-separated arms to run; all that are possible if empty.'
)
_FOLDS = flags.DEFINE_integer('folds', None, 'Test parts of each repeat.')
_REPEATS = flags.DEFINE_integer('repeats', None, 'How often folds are drawn.')
_SEEDS = flags.DEFINE_integer('seeds', None, 'Models per arm and fold.')
_TRIALS = flags.DEFINE_integer(
  'trials', None, 'Hyperparameter settings tried per arm, fold and seed.'
)
_CONFIG = flags.DEFINE_string(
  'config', 'default', 'A file of experiments/configs, or a saved config.json.'
)
_REGISTERED = flags.DEFINE_string(
  'registered', None, 'A file that fixed metric, margin, arms and reference.'
)
_CONTROLS = flags.DEFINE_string(
  'controls', None, "Conditions that ask whether a gain is fusion, or 'all'."
)
_FOOTPRINT = flags.DEFINE_bool(
  'footprint', None, 'Measure operations, latency and memory of each arm.'
)
_SET = flags.DEFINE_multi_string(
  'set', [], 'NAME=VALUE of any setting; comes last.'
)
_PARALLEL = flags.DEFINE_string('parallel', None, 'jit or pmap.')


def _run() -> int:
  cache.keep_compiled_programs()
  config = settings.resolve(
    _CONFIG.value,
    {
      **settings.registered(_REGISTERED.value),
      'cohort.name': _COHORT.value,
      'cohort.data_root': _DATA_ROOT.value,
      **({} if _ARMS.value is None else {'run_arms': _ARMS.value}),
      'splits.folds': _FOLDS.value,
      'splits.repeats': _REPEATS.value,
      'seeds': _SEEDS.value,
      'trials': _TRIALS.value,
      'controls.conditions': _CONTROLS.value,
      'footprint': _FOOTPRINT.value,
      'parallel.strategy': _PARALLEL.value,
    },
    _SET.value,
  )
  folder = pathlib.Path(_OUT.value or config_lib.default_folder(config))
  console = rich.console.Console(highlight=False)
  with launch.resumable(folder):
    report = runner.run(config, store.Store(folder), progress.Progress(console))
    if report.summary is not None:
      tables = [
        *(
          output.controls(report.summary) if config.controls.conditions else ()
        ),
        *(output.footprints(report.summary) if config.footprint else ()),
      ]
      page = output.write(report.summary, folder)
      output.show(report.summary, page, console, tables)
  for failure in report.failures.values():
    print(failure, file=sys.stderr)
  console.print(f'Run folder: {folder}', soft_wrap=True, markup=False)
  return 1 if report.failures else 0


if __name__ == '__main__':
  launch.main(_run)
