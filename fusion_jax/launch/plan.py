"""How many patients does a study need to show that combining helps?

  fusion-jax plan --auroc_single=.80,.78 --gain=.03 --prevalence=.2
  fusion-jax plan --from_run=DIR --gain=.03 --out=DIR

Patients needed for the verdicts "superior" and "equivalent", by the rules that
the study will be judged by, the power of other sizes, and a registration that
fixes metric, margin, estimand and arms. Correlations are those of scores within
a class. --from_run takes the covariances of a finished run, of any task.
"""

import json
import pathlib

import rich.text
from absl import flags

from fusion_jax.ablation import store
from fusion_jax.core import commands, errors, files, types
from fusion_jax.evaluation import design as design_lib
from fusion_jax.evaluation import pilot, planning, power
from fusion_jax.launch import launch, output, terminal
from fusion_jax.report import plan as plan_report
from fusion_jax.report import tables

REGISTRATION = 'registration.toml'
_MARGIN_DEFAULT = 0.02

_AUROC_SINGLE = flags.DEFINE_list(
  'auroc_single', [], 'AUROC of each single modality.'
)
_GAIN = flags.DEFINE_list(
  'gain',
  [],
  'True gain over the best single modality, of the first arm (with --from_run '
  'of each); or one number per arm.',
)
_ARMS = flags.DEFINE_list(
  'arms', [], 'Names of the fusion arms, or how many there are; default 1.'
)
_SINGLES = flags.DEFINE_list(
  'singles', [], 'Names of the single modalities; default image,ehr.'
)
_PREVALENCE = flags.DEFINE_float(
  'prevalence', None, 'Share of patients with the event.'
)
_CORRELATION_SINGLE = flags.DEFINE_float(
  'correlation_single', None, 'Of two single modalities; default 0.5.'
)
_CORRELATION_FUSION_SINGLE = flags.DEFINE_float(
  'correlation_fusion_single',
  None,
  'Of a fusion arm and a single modality; default 0.6.',
)
_CORRELATION_FUSION = flags.DEFINE_float(
  'correlation_fusion', None, 'Of two fusion arms; default 0.8.'
)
_STUDIES = flags.DEFINE_float(
  'studies_per_patient', None, 'Mean number; default 1.'
)
_ICC = flags.DEFINE_float(
  'icc', None, "Correlation of an arm's scores in two studies of a patient."
)
_FOLDS = flags.DEFINE_integer(
  'folds', None, 'Test parts of a cross-validation; default 1, one held out.'
)
_FROM_RUN = flags.DEFINE_string(
  'from_run', '', 'Folder of a finished run, whose covariances are taken.'
)
_MARGIN = flags.DEFINE_float('margin', None, 'Of equivalence; default 0.02.')
_POWER = flags.DEFINE_float('power', power.POWER, 'Probability to aim at.')
_OUT = flags.DEFINE_string('out', '', 'Folder of tables, figure, registration.')

# What describes scores beside the AUROCs, all of which a run has.
_OF_SCORES = (
  _PREVALENCE,
  _CORRELATION_SINGLE,
  _CORRELATION_FUSION_SINGLE,
  _CORRELATION_FUSION,
  _STUDIES,
  _ICC,
  _FOLDS,
)


def _numbers(flag) -> tuple[float, ...]:
  try:
    return tuple(float(x) for x in flag.value)
  except ValueError:
    raise errors.UserError(
      f'--{flag.name}={",".join(flag.value)}: expected numbers separated by '
      'commas.'
    ) from None


def _arms() -> tuple[tuple[str, ...], bool]:
  """Names of the fusion arms and whether they were given."""
  given = [x.strip() for x in _ARMS.value] or ['1']
  shown = f'--arms={",".join(given)}'
  if not all(given):
    raise errors.UserError(f'{shown}: a name is empty.')
  try:
    (count,) = map(float, given)
  except ValueError:
    return tuple(given), True
  if not 1 <= count <= types.MOST_ARMS or count % 1:
    raise errors.UserError(
      f'{shown}: expected a whole number from 1 to {types.MOST_ARMS}, or names.'
    )
  return tuple(f'fusion{i + 1}' for i in range(int(count))), False


def _singles(count: int) -> tuple[str, ...]:
  if _SINGLES.value:
    return tuple(_SINGLES.value)
  if count > 2:
    raise errors.UserError(
      f'--auroc_single has {count} values: name them with --singles=NAME,....'
    )
  return tuple(types.SIDES)[:count]


def _described() -> tuple[design_lib.Binormal, bool]:
  """What the flags say of the scores, and whether arms have names."""
  aurocs = _numbers(_AUROC_SINGLE)
  for flag, value in (
    (_AUROC_SINGLE, aurocs),
    (_PREVALENCE, _PREVALENCE.value),
  ):
    if value in ((), None):
      raise errors.UserError(
        f'Give --{flag.name}, or a finished run with --from_run=DIR (see '
        '--help).'
      )
  if (_STUDIES.value or 1) > 1 and _ICC.value is None:
    raise errors.UserError(
      f'--studies_per_patient={_STUDIES.value:g}: say with --icc how alike a '
      "patient's studies are, 0 to 1 (0.3 to 0.7 where labels and images "
      'change little).'
    )
  arms, named = _arms()
  given = {
    flag.name: flag.value for flag in _OF_SCORES if flag.value is not None
  }
  design = design_lib.Binormal(
    singles=_singles(len(aurocs)), fusions=arms, auroc_single=aurocs, **given
  )
  return design, named


def _known() -> tuple[planning.Known, bool, float | None]:
  """What is planned with, whether it can be registered, and the margin."""
  if not _FROM_RUN.value:
    design, named = _described()
    return design, named, _MARGIN.value or _MARGIN_DEFAULT
  for flag in (_AUROC_SINGLE, _SINGLES, *_OF_SCORES):
    if flag.value not in (None, []):
      raise errors.UserError(
        f'--{flag.name} and --from_run: a run has scores of its own. Give one '
        'of the two.'
      )
  known = pilot.read(_FROM_RUN.value, arms=_ARMS.value)
  return known, True, known.margin if _MARGIN.value is None else _MARGIN.value


def _gains(known: planning.Known) -> tuple[float, ...]:
  gains = _numbers(_GAIN)
  if not gains:
    raise errors.UserError('Give the true gain to plan for with --gain.')
  if len(gains) > 1:
    return gains
  count = len(known.fusions)
  return gains * count if _FROM_RUN.value else gains + (0.0,) * (count - 1)


def _write(name: str, text: str) -> pathlib.Path:
  path = pathlib.Path(_OUT.value) / name
  with files.saving(path) as part:
    part.write_text(text, encoding='utf-8')
  return path


def planned() -> tuple[planning.Known, planning.Plan, bool, float | None]:
  """What the flags plan with, the plan, whether arms have names, the margin."""
  if _MARGIN.value is not None and not _MARGIN.value > 0:
    raise errors.UserError(
      f'--margin={_MARGIN.value:g}: expected a positive number.'
    )
  known, named, margin = _known()
  gains = _gains(known)
  found = planning.plan(known, gains=gains, margin=margin, target=_POWER.value)
  return known, found, named, margin


def run() -> int:
  """Does it; returns the exit code."""
  known, found, named, margin = planned()
  shown = planning.to_dict(found, known, margin)
  if _OUT.value:
    store.make_folder(pathlib.Path(_OUT.value))
  console = terminal.Console()
  output.print_table(plan_report.needs(shown), console)
  for line in (
    *plan_report.explanations(shown),
    *(f'Check: {x}' for x in plan_report.warnings(shown)),
  ):
    console.print(rich.text.Text(line))
  console.print()
  if found.curve:
    output.print_table(plan_report.curve(shown, short=True), console)
  if not _OUT.value:
    return 0
  text = json.dumps(shown, indent=2, allow_nan=False, ensure_ascii=False)
  written = [
    _write('plan.json', f'{text}\n'),
    _write('needs.csv', tables.to_csv(plan_report.needs(shown))),
    _write('power.csv', tables.to_csv(plan_report.curve(shown))),
  ]
  drawn = plan_report.figure(shown)
  if drawn:
    written.append(_write('power.svg', drawn.svg))
  if not named:
    console.print('Arms without names: no registration was written.')
  elif margin is None:
    console.print('Without --margin no registration was written.')
  else:
    command = commands.line('plan', *launch.given(without=('out',)))
    text = planning.registered(known, margin, command)
    written.append(_write(REGISTRATION, text))
  for path in written:
    console.print(rich.text.Text(f'Wrote {path}'), soft_wrap=True)
  return 0
