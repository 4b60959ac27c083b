"""What is run: three tasks on two public cohorts, and a fixed list of arms.

Arms, sizes and epochs of the trained arms were fixed before any of their test
results were looked at; TRIED says what else was run.
"""

import dataclasses

# Beside the family of the review.
NEWER = (
  'gated=joint(combiner=gated)',
  'bottleneck=joint(combiner=bottleneck)',
  'drfuse=joint(combiner=drfuse,methods=(drfuse,))',
  'daft=joint(exchange_1=daft(onto=(image,)))',
  'ogm_ge=joint(methods=(ogm_ge,))',
)


@dataclasses.dataclass(frozen=True)
class Task:
  """One question asked of a cohort.

  Attributes:
    name: of its folders.
    title: in words.
    descriptor: name of a shipped one, or of a built-in world.
    data: the folder of its data below the root; empty for a built-in world.
    settings: NAME=VALUE of the trained arms.
    arms: definitions of trained arms beside the review's.
    run_arms: those of the review that are trained; all if empty.
  """

  name: str
  title: str
  descriptor: str
  data: str
  settings: tuple[str, ...]
  arms: tuple[str, ...] = NEWER
  run_arms: tuple[str, ...] = ()


# On these folds, besides what the tables hold.
TRIED = (
  'Trained arms: one configuration of each, and before it a pilot of `image` '
  'and `ehr_linear` on PAD-UFES-20 (32 pixels, 10 epochs) to see how long it '
  'takes. Sizes, epochs and arms were fixed before other test results were '
  'there, by what two shared cores can do in an hour; melanoma lost arms and '
  'epochs on the way, when time ran short and none of its results were known.',
  'Recipes: two configurations on PAD-UFES-20 and on malignant lesions of '
  'HAM10000. At 64 pixels, the first, `early_pretrained` had an AUROC of .933 '
  'and .886; 128 pixels were taken because plain logistic regressions on such '
  'features were known to be better (.939 and .895; .866 of melanoma), and so '
  'in favour of the recipes.',
  'The recipes of these tables have an elastic net of half. Since then those '
  'of the library have become ridge regressions, which are better (image of '
  'PAD-UFES-20: .836 instead of .822), and which another run of this command '
  'has. The best trained arms are ahead of the known regressions just named on '
  'HAM10000 (.913 and .895), but no test was made of that.',
  'Minutes are those of a machine with some thirty busy processes: the '
  'processor time of all runs that count was 47 minutes.',
  'All settings of training are defaults of the library, some of which '
  '[earlier runs](results.md) on these folds had a part in.',
)

# Sizes and epochs are what two shared cores do in an hour: 32 pixels and 600
# steps or more.
TASKS = (
  Task(
    'pad_ufes20',
    'PAD-UFES-20, malignant',
    'pad_ufes20_lesions',
    'pad_ufes20_lesions',
    ('cohort.image_size=32', 'training.epochs=20'),
  ),
  Task(
    'ham10000_malignant',
    'HAM10000, malignant',
    'ham10000_64',
    'ham10000_64',
    ('cohort.image_size=32', 'training.epochs=12'),
  ),
  Task(
    'ham10000_melanoma',
    'HAM10000, melanoma',
    'ham10000_melanoma',
    'ham10000_64',
    ('cohort.image_size=32', 'training.epochs=10'),
    # For want of time without two newer arms, which take longest, and without
    # those that stand on encoders of their own.
    arms=tuple(x for x in NEWER if not x.startswith(('bottleneck', 'drfuse'))),
    run_arms=(
      'image',
      'ehr',
      'ehr_linear',
      'ehr_trees',
      'image_pca',
      'early_raw',
      'early_pca',
      'joint',
      'joint_raw_ehr',
      'joint_additive',
      'late_mean',
      'late_vote',
      'late_weighted',
      'late_stack',
      'late_linear',
    ),
  ),
)


@dataclasses.dataclass(frozen=True)
class Stage:
  """Arms that are run in one folder of each task.

  Attributes:
    name: of the folder.
    arms: definitions beside the families' and the task's.
    run_arms: those that are run; all if empty.
    settings: NAME=VALUE, the same for each task.
    tasks_own: whether a task's settings and arms hold too.
    recipes: arms that others are held against; empty where fusion arms are
      judged.
  """

  name: str
  arms: tuple[str, ...] = ()
  run_arms: tuple[str, ...] = ()
  settings: tuple[str, ...] = ()
  tasks_own: bool = True
  recipes: tuple[str, ...] = ()


TRAINED = Stage('trained')
# Held against: regressions on the record, on features of published weights,
# on both, and the mean of the two alone. The encoder gets images of 128 pixels,
# to which those of HAM10000 are enlarged: at 64 its features say less.
FROZEN = Stage(
  'frozen',
  run_arms=(
    'ehr_linear',
    'image_pretrained',
    'early_pretrained',
    'late_pretrained',
  ),
  settings=('families=pretrained', 'cohort.image_size=128'),
  tasks_own=False,
  recipes=(
    'ehr_linear',
    'image_pretrained',
    'early_pretrained',
    'late_pretrained',
  ),
)
# The recipes last.
STAGES = (TRAINED, FROZEN)
