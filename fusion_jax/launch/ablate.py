"""Trains every arm on a cohort and compares fusion with single modalities.

  fusion-jax ablate
  fusion-jax ablate --cohort=DIR_OR_TOML --folds=5 --seeds=2
  fusion-jax ablate --arms=image,ehr,joint --set=training.epochs=50

The same command goes on where it stopped, and prints the answer again where all
is finished.
A saved RUN/config.json is a --config too.
"""

import pathlib
from collections.abc import Sequence

import rich.console
from absl import flags

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import examples, external, runner, store
from fusion_jax.ablation import progress as progress_lib
from fusion_jax.launch import launch, loudness, output, settings, terminal
from fusion_jax.parallel import cache
from fusion_jax.report import console as report_console

_COHORT = flags.DEFINE_string(
  'cohort',
  None,
  'A built-in world, a shipped descriptor, a folder with cohort.toml, or a '
  '.toml file.',
)
_DATA_ROOT = flags.DEFINE_string(
  'data_root', None, "Where a descriptor's table and images are."
)
_OUT = flags.DEFINE_string(
  'out',
  '',
  'The run folder, which the same command goes on in, and another one may add '
  'arms and seeds to; empty for runs/COHORT-HASH.',
)
_ARMS = flags.DEFINE_string(
  'arms',
  None,
  'Comma-separated arms to run, with those that they build on; all that are '
  'possible if empty.',
)
_ARM = flags.DEFINE_multi_string(
  'arm', [], 'NAME=ARM(part=value,...): one more arm, made of a known one.'
)
_IMPORT = flags.DEFINE_multi_string(
  'import', [], 'A module that registers parts of its own.'
)
_FOLDS = flags.DEFINE_integer('folds', None, 'Test parts of each repeat.')
_REPEATS = flags.DEFINE_integer('repeats', None, 'How often folds are drawn.')
_SEEDS = flags.DEFINE_integer('seeds', None, 'Models per arm and fold.')
_TRIALS = flags.DEFINE_integer(
  'trials', None, 'Hyperparameter settings tried per arm, fold and seed.'
)
_CONFIG = flags.DEFINE_string(
  'config',
  'default',
  'A named configuration (default, quick), or a saved config.json.',
)
_REGISTERED = flags.DEFINE_string(
  'registered',
  None,
  'A file that fixed metric, margin, estimand, arms and reference beforehand.',
)
_CONTROLS = flags.DEFINE_string(
  'controls',
  None,
  "Conditions that ask whether a gain is fusion, 'shapley', or 'all'.",
)
_FOOTPRINT = flags.DEFINE_bool(
  'footprint', None, 'Measure operations, latency and memory of each arm.'
)
_EXAMPLES = flags.DEFINE_integer(
  'examples',
  None,
  'Put this many studies that fusion repairs and that it breaks into the '
  'report: it then shows images and record values of these patients.',
)
_SET = flags.DEFINE_multi_string(
  'set', [], 'NAME=VALUE of any setting; comes last.'
)
_PARALLEL = flags.DEFINE_string('parallel', None, 'jit or pmap.')


class _Progress(progress_lib.Progress):
  """Also says, before anything is trained, what runs without being named.

  Attributes:
    finished: whether nothing was left to train.
  """

  def __init__(
    self, config: config_lib.ExperimentConfig, console: rich.console.Console
  ):
    super().__init__(console)
    self._config = config
    self.finished = False

  def plan(self, totals: dict[str, tuple[int, int]]) -> None:
    for line in also_run(self._config):
      self.message(line)
    self.finished = all(total == done for total, done in totals.values())
    super().plan(totals)


def also_run(config: config_lib.ExperimentConfig) -> list[str]:
  """What takes part because arms that were named build on it.

  Returns:
    One line for each set of arms that such arms build on. Upstream models that
    are no arms of the table are not told.
  """
  builders: dict[tuple[str, ...], list[str]] = {}
  arms = config.known_arms
  for name in config.run_arms:
    added = tuple(
      other
      for other in arms[name].upstream
      if other not in config.run_arms and not arms[other].extracts
    )
    if added:
      builders.setdefault(added, []).append(name)
  return [
    f'Also run, as {_quoted(names)} {"builds" if len(names) == 1 else "build"} '
    f'on {"it" if len(added) == 1 else "them"}: {_quoted(added)}.'
    for added, names in builders.items()
  ]


def _quoted(names: Sequence[str]) -> str:
  return ', '.join(f"'{x}'" for x in names)


def run() -> int:
  """Does it; returns the exit code."""
  cache.keep_compiled_programs()
  if _EXAMPLES.value is not None:
    examples.check(_EXAMPLES.value)
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
    arms=_ARM.value,
    imports=_IMPORT.value,
    folder=_OUT.value,
  )
  folder = pathlib.Path(_OUT.value or config_lib.default_folder(config))
  console = terminal.Console()
  loudness.chosen()
  progress = _Progress(config, console)
  with launch.resumable(folder):
    report = runner.run(config, store.Store(folder), progress)
    if report.summary is not None:
      tables = [
        *(
          output.controls(report.summary) if config.controls.conditions else ()
        ),
        *(output.footprints(report.summary) if config.footprint else ()),
      ]
      shown = None
      if _EXAMPLES.value is not None:
        run = external.open_run(folder)
        shown = examples.make(run, _EXAMPLES.value, progress.message)
      page = output.write(report.summary, folder, shown)
      level = loudness.chosen(
        report_console.SHORT if progress.finished else report_console.NORMAL
      )
      output.show(report.summary, page, console, tables, level=level)
  for failure in report.failures.values():
    terminal.complain(failure)
  console.print(f'Run folder: {folder}', soft_wrap=True)
  return 1 if report.failures else 0
