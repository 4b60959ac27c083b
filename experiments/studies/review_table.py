"""The review's Table 2, every cell tested by a controlled experiment.

  python -m experiments.studies.review_table --out=DIR
  python -m experiments.studies.review_table --out=DIR --rows=missing,design
  python -m experiments.studies.review_table --out=DIR --quick

The same command goes on where it stopped. The rows are missing, interactions,
features, data, models, design and levels. All of them take some 16 minutes of
processor time, with --quick some 5, most of which is compiling.
"""

import pathlib

from absl import flags

from experiments.studies.table2 import page, table, work
from fusion_jax.ablation import progress, store
from fusion_jax.core import errors
from fusion_jax.launch import launch, terminal
from fusion_jax.parallel import cache

_OUT = flags.DEFINE_string(
  'out', '', 'Folder of review_table.json and the rest, and of the runs.'
)
_ROWS = flags.DEFINE_list('rows', [], 'Rows to run; all if empty.')
_QUICK = flags.DEFINE_bool(
  'quick', False, 'Far too small for its numbers to mean anything.'
)
_DOCS = flags.DEFINE_string(
  'docs', '', 'Folder to write review_table.md and its figure to as well.'
)


def _run() -> int:
  if not _OUT.value:
    raise errors.UserError('Say where the results should go with --out=DIR.')
  rows = table.check_rows(_ROWS.value)
  cache.keep_compiled_programs()
  folder = pathlib.Path(_OUT.value)
  for path in filter(None, (_OUT.value, _DOCS.value)):
    store.make_folder(pathlib.Path(path))
  console = terminal.Console()
  at = work.Work(
    folder / ('quick' if _QUICK.value else 'full'),
    work.QUICK if _QUICK.value else work.Settings(),
    progress.Progress(console),
  )
  with launch.resumable(folder):
    result = table.build(at, rows)
  command = f'{page.COMMAND} --out=DIR' + ' --quick' * _QUICK.value
  written = page.write(result, folder, command=command)
  if _DOCS.value:
    command += ' --docs=docs'
    written += page.write_docs(result, _DOCS.value, command=command)
  for path in written:
    print(path)
  return 0


if __name__ == '__main__':
  launch.main(_run)
