"""Studies that lack a modality, and fewer patients: how a run's arms do.

  fusion-jax robustness --run=RUN
  fusion-jax robustness --run=RUN --train_missing=image:0.5
  fusion-jax robustness --run=RUN --fractions=0.25,0.5 --arms=joint

Adds curves over the share of test studies without a modality to the run's
summary and report; nothing is trained for them. --train_missing trains the arms
again with a modality withheld, --fractions on fewer patients, for learning
curves. Trainings are kept below RUN/robustness.
"""

from absl import flags

from fusion_jax.ablation import external, progress, robustness
from fusion_jax.core import errors
from fusion_jax.launch import launch, loudness, output, terminal
from fusion_jax.parallel import cache
from fusion_jax.report import console as report_console

_RUN = flags.DEFINE_string('run', '', 'The folder of a finished run.')
_TRAIN_MISSING = flags.DEFINE_list(
  'train_missing', [], 'MODALITY:SHARE[:informative] to withhold in training.'
)
_FRACTIONS = flags.DEFINE_list(
  'fractions', [], 'Shares of the training patients to train on.'
)
_ARMS = flags.DEFINE_list(
  'arms',
  [],
  'Arms to look at and to print; if empty, curves of all are made, and those '
  'of the arms that the report draws are printed.',
)


def _fractions() -> list[float]:
  found = []
  for text in _FRACTIONS.value:
    try:
      found.append(float(text))
    except ValueError:
      raise errors.UserError(
        f"--fractions: '{text}' is not a number."
      ) from None
  return found


def run() -> int:
  """Does it; returns the exit code."""
  cache.keep_compiled_programs()
  level = loudness.chosen()
  if not _RUN.value:
    raise errors.UserError('Give --run=DIR (see --help).')
  fractions = _fractions()
  robustness.check(_TRAIN_MISSING.value, fractions)
  run = external.open_run(_RUN.value)
  console = terminal.Console()
  with launch.resumable(run.path):
    summary = robustness.extend(
      run,
      train_missing=_TRAIN_MISSING.value,
      fractions=fractions,
      arms=_ARMS.value,
      progress=progress.Progress(console),
    )
    tables = output.curves(summary, _ARMS.value)
    page = output.write(summary, run.path)
  if not any(tables):
    console.print(
      'There are no curves: those of missing modalities need two modalities, '
      'learning curves need --fractions.'
    )
  if level == report_console.NORMAL:
    # The table of the run and its answer were there before.
    output.show_details(page, console, tables)
  else:
    output.show(summary, page, console, tables, level=level)
  console.print(f'Run folder: {run.path}', soft_wrap=True)
  return 0
