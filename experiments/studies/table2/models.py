"""Row 5: how many models an arm needs, counted from the plan."""

from experiments.studies.table2 import claims, criteria, work
from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import learner, learners
from fusion_jax.ablation import plan as plan_lib
from fusion_jax.core import types


def needed(
  config: config_lib.ExperimentConfig, arm: str
) -> tuple[list[str], int]:
  """What one fold and seed of an arm trains.

  Returns:
    The arms whose models are trained, itself included unless it is a rule for
    predictions, and how many fits that is: of an image encoder for others, and
    of what is trained on its features, there are two (one for each half of the
    training part).
  """
  plan = plan_lib.make_plan(
    config,
    listed=[arm],
    task=types.Task(types.BINARY, ('y',)),
    cohort_digest='',
    cells=[plan_lib.Cell(0, 0, '')],
  )
  arms = config.known_arms
  trained = [a for a in plan.nodes if not learners.of(arms[a]).joins]
  return trained, sum(
    len(plan.nodes[a]) * learner.models_per_node(arms[a], small=False)
    for a in trained
  )


def expected(arm: arm_lib.Arm) -> str:
  """Several where predictions are joined, or features of a trained CNN."""
  several = arm.strategy == arm_lib.LATE or arm.second_stage
  return claims.NO if several else claims.YES


def run(at: work.Work) -> claims.Row:
  """Counts; nothing is trained."""
  del at
  config = config_lib.ExperimentConfig()
  checks = {}
  for strategy in claims.STRATEGIES:
    checks[strategy] = []
    for name, arm in config.known_arms.items():
      if arm.strategy == strategy:
        trained, fits = needed(config, name)
        checks[strategy].append(
          claims.Check(
            name,
            '',
            expected(arm),
            criteria.needs_one_model(len(trained)),
            float(len(trained)),
            details={'models': trained, 'fits': fits},
          )
        )
  return claims.Row(
    setup='Every fusion arm of the library; counted from the plan of one fold '
    'and seed, nothing is trained.',
    measure='models trained one after the other',
    criterion='not several: one model',
    checks=checks,
    decimals=0,
  )
