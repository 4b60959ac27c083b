r"""Measures what the verdict is worth on data whose truth is known.

  python -m experiments.studies.calibrate_verdict --out=DIR
  python -m experiments.studies.calibrate_verdict --part=scores --runs=200 \
    --out=DIR

How often each verdict is said wrongly, how often intervals cover, how often a
gain is found, and the former rule and naive practice beside it. The same
command goes on where it stopped; more --runs add to those that are there.
"""

import pathlib
import shutil
import sys

from absl import flags

from experiments.studies.calibration import cells, findings, page, plan
from fusion_jax.ablation import store
from fusion_jax.core import errors
from fusion_jax.launch import launch

ALL = 'all'

_PART = flags.DEFINE_string('part', ALL, f'{", ".join(findings.PARTS)} or all.')
_RUNS = flags.DEFINE_string(
  'runs',
  '',
  'Runs of each cell: a number, or PART:NUMBER,... ; empty for the defaults of '
  'experiments/studies/calibration/plan.py.',
)
_OUT = flags.DEFINE_string('out', '', 'Folder of the runs and the results.')
_SEED = flags.DEFINE_integer('seed', 0, 'Of all that is random.')
_REPLICATES = flags.DEFINE_integer('replicates', 500, 'Of each bootstrap.')
_WORKERS = flags.DEFINE_integer('workers', 1, 'Processes.')
_MAX_N = flags.DEFINE_integer('max_n', 0, 'Leave out larger cells; 0: none.')
_DOCS = flags.DEFINE_string(
  'docs', '', 'Folder to write the page and its SVG figure to as well.'
)


def _run() -> int:
  known = (*findings.PARTS, ALL)
  if _PART.value not in known:
    raise errors.unknown_name('part', _PART.value, known, where='--part')
  parts = findings.PARTS if _PART.value == ALL else (_PART.value,)
  runs = plan.parse_runs(_RUNS.value, parts)
  if not _OUT.value:
    raise errors.UserError('Say where the runs should go with --out=DIR.')
  chosen = plan.grid(parts, _MAX_N.value)
  if not chosen:
    raise errors.UserError(
      f'--max_n={_MAX_N.value}: no cell is that small; sizes are '
      f'{", ".join(map(str, sorted({c.n for c in plan.grid(parts)})))}.'
    )
  for path in filter(None, (_OUT.value, _DOCS.value)):
    store.make_folder(pathlib.Path(path))
  folder = pathlib.Path(_OUT.value)
  settings = cells.Settings(seed=_SEED.value, replicates=_REPLICATES.value)
  found = {}
  with launch.resumable(folder):
    for part in parts:
      found |= cells.run(
        [c for c in chosen if c.part == part],
        plan.FUNCTIONS,
        runs=runs[part],
        settings=settings,
        folder=folder,
        workers=_WORKERS.value,
        on_chunk=lambda name, done, total: print(
          f'{done} of {total} chunks: {name}', file=sys.stderr, flush=True
        ),
      )
  results = findings.judge(found)
  command = (
    f'python -m experiments.studies.calibrate_verdict --part={_PART.value} '
    '--runs='
    f'{",".join(f"{k}:{v}" for k, v in runs.items())} --seed={_SEED.value} '
    f'--replicates={_REPLICATES.value} --max_n={_MAX_N.value} --out=DIR'
  )
  written = page.write(results, folder, command=command)
  if _DOCS.value:
    docs = pathlib.Path(_DOCS.value)
    written += page.write_docs(results, docs, command=command)
  width = min(80, shutil.get_terminal_size().columns)
  for line in (*findings.lines(results, width), *map(str, written)):
    print(line)
  return 1 if results['result'] == findings.FAIL else 0


if __name__ == '__main__':
  launch.main(_run)
