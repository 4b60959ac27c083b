"""AUROC by how many studies lack a modality in training, and in the test."""

import dataclasses
import pathlib

import numpy as np

from experiments.studies.zoo import grounds, page, scores, subjects, trials
from fusion_jax.core import errors, files
from fusion_jax.data import withhold
from fusion_jax.report.figures import style

TRAIN = (0.0, 0.25, 0.5, 0.75)
TEST = (0.0, 0.25, 0.5, 0.75, 1.0)
_WORLD = grounds.COMPLEMENTARY


@dataclasses.dataclass(frozen=True, eq=False)
class Curves:
  """Of one subject, modality and mechanism.

  Attributes:
    subject: what was trained.
    modality: that studies lack.
    mechanism: by which they do.
    auroc: (train, test), of all test studies, the mean over seeds.
    single: (train,) that of the remaining modality's own arm, which loses
      nothing.
  """

  subject: subjects.Subject
  modality: str
  mechanism: str
  auroc: np.ndarray
  single: np.ndarray


def measure(
  subject: subjects.Subject,
  setting: grounds.Setting,
  *,
  modality: str,
  mechanism: str,
) -> Curves:
  """Trains with every rate of TRAIN in one fleet, and tests at those of TEST.

  Raises:
    UserError: for an unknown modality or mechanism.
  """
  if modality not in grounds.TWO:
    raise errors.unknown_name(
      'modality', modality, grounds.TWO, where='--modality'
    )
  if mechanism not in withhold.MECHANISMS:
    raise errors.unknown_name(
      'mechanism', mechanism, withhold.MECHANISMS, where='--mechanism'
    )
  rates = dict.fromkeys([*TRAIN, *TEST])
  gaps = {x: scores.gap_of(modality, x, mechanism) for x in rates}
  ground = grounds.make(setting, {_WORLD: list(gaps.values())})
  trained = {_WORLD: [gaps[x] for x in TRAIN]}
  cells = trials.cells(trained, {_WORLD: setting.seeds_missing})
  singles = {
    m: trials.run(
      subjects.Subject(subjects.SINGLE, m), ground, setting, cells, {}
    )
    for m in ground.cohort.modalities
    if subject.kind == subjects.RULE or m != modality
  }
  trial = trials.run(subject, ground, setting, cells, singles)
  options = {'train': TRAIN, 'test': TEST}
  (other,) = grounds.others(ground.cohort, modality)
  return Curves(
    subject,
    modality,
    mechanism,
    scores.curve(ground, trial, modality, mechanism, **options),
    scores.curve(ground, singles[other], modality, mechanism, **options)[:, 0],
  )


def table(found: Curves) -> str:
  """A row for each train rate, a column for each test rate."""
  head = ['train \\ test', *(f'{x:.0%}' for x in TEST), 'the other alone']
  rows = [
    [f'{rate:.0%}', *(page.number(float(x), 3) for x in (*line, alone))]
    for rate, line, alone in zip(TRAIN, found.auroc, found.single, strict=True)
  ]
  return page.markdown([head, *rows])


def draw(found: Curves) -> style.Drawn:
  """A line for each train rate over the test rates."""
  title = f'{found.subject.key}: {found.modality} absent, {found.mechanism}'
  with style.context():
    canvas = style.new(4.6, 3.2)
    axes = canvas.subplots()
    for k, (rate, line) in enumerate(zip(TRAIN, found.auroc, strict=True)):
      axes.plot(
        TEST,
        line,
        color=style.SERIES[k],
        linestyle=style.DASHES[k],
        marker=style.MARKERS[k],
        label=f'{rate:.0%} in training',
      )
    axes.axhline(
      found.single.mean(), color=style.FAINT, linewidth=1, label='other alone'
    )
    axes.set_xlabel('share of test studies without it')
    axes.set_ylabel('AUROC')
    axes.legend()
  return style.Drawn(
    'rates',
    title,
    'AUROC of all test studies by the share that lacks the modality.',
    canvas,
    details=table(found),
  )


def write(found: Curves, folder: pathlib.Path) -> list[pathlib.Path]:
  """Writes the table and the picture of a subject.

  Raises:
    UserError: if a file cannot be written.
  """
  kind, name = found.subject.kind, found.subject.name
  stem = f'rates-{kind}-{name}-{found.modality}-{found.mechanism}'
  written = []
  for end, content in (
    ('md', table(found).encode()),
    ('svg', draw(found).svg.encode()),
  ):
    path = folder / f'{stem}.{end}'
    with files.saving(path) as part:
      part.write_bytes(content)
    written.append(path)
  return written
