r"""Studies of the planned size, simulated and judged by the library itself.

  python -m experiments.studies.plan_simulation --auroc_single=.80,.78 \
    --gain=.03 --prevalence=.2 --simulations=400

Takes the flags of `fusion-jax plan` that describe scores, and says how often
simulated studies with the patients that it plans get the planned verdict.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import rich.text
from absl import flags
from scipy import special

from experiments.studies.published import reported
from fusion_jax.core import errors, types
from fusion_jax.evaluation import (
  binormal,
  comparison,
  dependence,
  intervals,
  planning,
  power,
  resampling,
)
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import design as design_lib
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.launch import launch, terminal
from fusion_jax.launch import plan as plan_command

_SIMULATIONS = flags.DEFINE_integer(
  'simulations', 400, 'Studies to simulate and judge.'
)
_SEED = flags.DEFINE_integer('seed', 0, 'Of the simulated studies.')
_MOST = 10_000

TASK = types.Task(types.BINARY, ('event',))


def folds_of(
  design: design_lib.Binormal,
  rng: np.random.Generator,
  *,
  gains: Sequence[float],
  patients: int,
) -> tuple[folds_lib.Fold, ...]:
  """The test parts of one simulated study; classes are spread over them."""
  patient, label, scores = binormal.draw(
    rng,
    auroc=design.auroc(gains),
    correlation=design.correlation,
    patients=patients,
    prevalence=design.prevalence,
    clusters=design.clusters,
  )
  sick = np.zeros(patients, bool)
  sick[patient[label]] = True
  part = np.empty(patients, int)
  for of_class in (sick, ~sick):
    part[of_class] = np.arange(of_class.sum()) % design.folds
  arms = (*design.fusions, *design.singles)
  found = []
  for k in range(design.folds):
    here = np.flatnonzero(part[patient] == k)
    found.append(
      folds_lib.Fold(
        repeat=0,
        fold=k,
        study=np.array([f's{i:07}' for i in here]),
        patient=np.array([f'p{i:07}' for i in patient[here]]),
        labels=label[here, None].astype(float),
        weight=np.ones(len(here)),
        complete=np.ones(len(here), bool),
        scores={
          arm: {0: special.ndtr(scores[a, here])[:, None]}
          for a, arm in enumerate(arms)
        },
      )
    )
  return tuple(found)


def verdicts(
  design: design_lib.Binormal,
  folds: Sequence[folds_lib.Fold],
  *,
  margin: float,
  config: config_lib.EvaluationConfig,
) -> dict[str, str]:
  """The library's verdict of each fusion arm."""
  arms = (*design.fusions, *design.singles)
  values = estimates_lib.estimate(
    TASK, folds, arms=arms, wanted=[design.metric]
  ).values[design.metric]
  source = intervals.Bootstrap(
    TASK,
    folds,
    arms=arms,
    wanted=[design.metric],
    metric=design.metric,
    resamples=resampling.draw_folds(folds, config),
    factor=dependence.factor(folds).value,
  )
  compared = comparison.compare(
    arms=arms,
    fusions=design.fusions,
    singles=design.singles,
    values=values,
    margin=margin,
    families=source.families(values, 1),
  )
  return {g.arm: g.verdict for g in compared.gains}


def power_of(
  design: design_lib.Binormal,
  need: planning.Need,
  *,
  margin: float,
  runs: int,
  seed: int = 0,
  config: config_lib.EvaluationConfig | None = None,
) -> tuple[int, float]:
  """How often the arm of a need gets its verdict.

  Models are given and not trained, so that nothing varies by more than the
  patients tested, whatever the factor; what is expected then is returned too.

  Args:
    design: what is simulated.
    need: arm, verdict, gain and patients.
    margin: of equivalence.
    runs: simulated studies.
    seed: of them.
    config: of the bootstrap.

  Returns:
    The number of runs with that verdict, and the share expected.
  """
  config = config or config_lib.EvaluationConfig()
  place = design.fusions.index(need.arm)
  gains = [0.0] * len(design.fusions)
  gains[place] = need.gain
  count = 0
  for run in range(runs):
    rng = np.random.default_rng([seed, run])
    folds = folds_of(design, rng, gains=gains, patients=need.patients)
    drawn = dataclasses.replace(config, seed=run)
    found = verdicts(design, folds, margin=margin, config=drawn)
    count += found[need.arm] == need.verdict
  expected = power.shares(
    need.bounds,
    difference=need.gain + design.behind,
    margin=margin,
    patients=need.patients,
    spread=1.0,
  )
  return count, getattr(expected, need.verdict)


def lines(
  design: design_lib.Binormal,
  plan: planning.Plan,
  *,
  margin: float,
  runs: int,
  seed: int = 0,
) -> Iterator[str]:
  """A sentence for each planned verdict, as soon as it is known."""
  for need in filter(None, (plan.superior, plan.equivalent)):
    count, expected = power_of(
      design, need, margin=margin, runs=runs, seed=seed
    )
    low, high = reported.clopper_pearson(count, runs)
    line = (
      f'simulated: {count} of {runs} studies with {need.patients:,} patients '
      f"call '{need.arm}' {need.verdict}: {count / runs:.3f} [{low:.3f}, "
      f'{high:.3f}], expected {expected:.3f}'
    )
    if need.bounds.factor > 1:
      line += (
        f' (not {plan.target:g}, since models are given here: estimates do '
        'not vary by the factor)'
      )
    yield f'{line}.'


def _run() -> int:
  if not 1 <= _SIMULATIONS.value <= _MOST:
    raise errors.UserError(
      f'--simulations={_SIMULATIONS.value}: expected a whole number from 1 to '
      f'{_MOST}.'
    )
  known, found, _, margin = plan_command.planned()
  if not isinstance(known, design_lib.Binormal):
    raise errors.UserError(
      '--from_run: only scores described by flags can be simulated.'
    )
  console = terminal.Console()
  for line in lines(
    known, found, margin=margin, runs=_SIMULATIONS.value, seed=_SEED.value
  ):
    console.print(rich.text.Text(line))
  return 0


if __name__ == '__main__':
  launch.main(_run)
