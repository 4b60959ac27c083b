"""Finds the factor for folds that share training data.

  python -m experiments.studies.shared_training --out=DIR
  python -m experiments.studies.shared_training --learners=lda --out=DIR

How often the bounds of arms, differences and gains hold the exact truth of the
trained models in cross-validation, at every factor from 1 up. The same command
goes on where it stopped; more --runs add to those that are there.
"""

import pathlib
import sys

from absl import flags

from experiments.studies.calibration import cells, dependence, dependence_page
from fusion_jax.ablation import store
from fusion_jax.core import errors, files
from fusion_jax.launch import launch

_LEARNERS = flags.DEFINE_list(
  'learners', list(dependence.LEARNERS), 'Which learners.'
)
_RUNS = flags.DEFINE_integer('runs', 500, 'Of each cell of LDA, elastic net.')
_CLOSE_RUNS = flags.DEFINE_integer(
  'close_runs',
  2000,
  'Of those that fail at the factor below the one found; it is found again.',
)
_OTHER_RUNS = flags.DEFINE_integer('other_runs', 100, 'Of the other cells.')
_OUT = flags.DEFINE_string('out', '', 'Folder of the runs and the page.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of all that is random.')
_REPLICATES = flags.DEFINE_integer('replicates', 300, 'Of each bootstrap.')
_WORKERS = flags.DEFINE_integer('workers', 1, 'Processes.')
_MAX_N = flags.DEFINE_integer('max_n', 0, 'Leave out larger cells; 0: none.')
_DOCS = flags.DEFINE_string('docs', '', 'Folder to write the page to as well.')

_SOURCES = (*cells.SOURCES, 'experiments/studies/calibration/dependence.py')


def _run() -> int:
  for learner in _LEARNERS.value:
    if learner not in dependence.LEARNERS:
      raise errors.unknown_name(
        'learner', learner, dependence.LEARNERS, where='--learners'
      )
  if not _OUT.value:
    raise errors.UserError('Say where the runs should go with --out=DIR.')
  largest = _MAX_N.value or max(c.n for c in dependence.grid())
  grid = [c for c in dependence.grid(_LEARNERS.value) if c.n <= largest]
  if not grid:
    raise errors.UserError(f'--max_n={_MAX_N.value}: no cell is that small.')
  for path in filter(None, (_OUT.value, _DOCS.value)):
    store.make_folder(pathlib.Path(path))
  folder = pathlib.Path(_OUT.value)
  settings = cells.Settings(seed=_SEED.value, replicates=_REPLICATES.value)

  def run(chosen, runs):
    return cells.run(
      chosen,
      dict.fromkeys(dependence.LEARNERS, dependence.simulate),
      runs=runs,
      settings=settings,
      folder=folder,
      workers=_WORKERS.value,
      sources=_SOURCES,
      on_chunk=lambda name, done, total: print(
        f'{done} of {total} chunks: {name}', file=sys.stderr, flush=True
      ),
    )

  with launch.resumable(folder):
    results = run([c for c in grid if c.part in dependence.JUDGED], _RUNS.value)
    results |= run(
      [c for c in grid if c.part not in dependence.JUDGED], _OTHER_RUNS.value
    )
    close = dependence_page.close(dependence_page.judge(results))
    results |= run(
      [c for c in grid if c.name in close],
      max(_RUNS.value, _CLOSE_RUNS.value),
    )
  judged = dependence_page.judge(results)
  command = (
    f'python -m experiments.studies.shared_training --learners='
    f'{",".join(_LEARNERS.value)} --runs={_RUNS.value} '
    f'--close_runs={_CLOSE_RUNS.value} --other_runs={_OTHER_RUNS.value} '
    f'--seed={_SEED.value} '
    f'--replicates={_REPLICATES.value} --max_n={_MAX_N.value} --out=DIR'
  )
  text = dependence_page.page(judged, command=command)
  for place in filter(None, (_OUT.value, _DOCS.value)):
    path = pathlib.Path(place) / dependence_page.PAGE
    with files.saving(path) as temporary:
      temporary.write_text(text, encoding='utf-8')
    print(path)
  for factor, names in judged['failing'].items():
    print(f'factor {factor:.2f}: {len(names)} judged cells fail')
  if judged['factor'] is None:
    print('No factor tried is enough.')
    return 1
  print(f'The factor is {judged["factor"]:.2f}.')
  return 0


if __name__ == '__main__':
  launch.main(_run)
