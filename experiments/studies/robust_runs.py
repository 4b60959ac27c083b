"""Kills runs at random moments, and damages every kind of file they leave.

  python -m experiments.studies.robust_runs --out=DIR
  python -m experiments.studies.robust_runs --out=DIR --trial=soak --folders=30

Every folder must come to the result of a run that nobody disturbed, and nothing
damaged may be used without a word. docs/robust_runs.md holds what was found.
"""

import pathlib
import sys
import time

from absl import flags

from experiments.studies.trials import matrix, page, soak
from fusion_jax.ablation import store
from fusion_jax.core import errors, files
from fusion_jax.launch import launch
from fusion_jax.parallel import cache

_TRIALS = ('soak', 'matrix', 'all')
_TRIAL = flags.DEFINE_string('trial', 'all', ', '.join(_TRIALS) + '.')
_FOLDERS = flags.DEFINE_integer('folders', 30, 'Run folders of the soak.')
_KILLS = flags.DEFINE_integer('kills', 2, 'Signals that each of them gets.')
_MINUTES = flags.DEFINE_float(
  'minutes', 0.0, 'After these the soak begins no other folder; 0: never.'
)
_DAMAGES = flags.DEFINE_list(
  'damages', list(matrix.DAMAGES), 'What is done to files.'
)
_KINDS = flags.DEFINE_list(
  'kinds', [], 'Kinds of files, as the page calls them; all if empty.'
)
_SEED = flags.DEFINE_integer('seed', 0, 'Of the moments.')
_OUT = flags.DEFINE_string('out', '', 'Folder of the runs and the page.')
_DOCS = flags.DEFINE_string('docs', '', 'Folder to write the page to as well.')


def _run() -> int:
  cache.keep_compiled_programs()
  if _TRIAL.value not in _TRIALS:
    raise errors.unknown_name('trial', _TRIAL.value, _TRIALS, where='--trial')
  for name in _DAMAGES.value:
    if name not in matrix.DAMAGES:
      raise errors.unknown_name(
        'damage', name, matrix.DAMAGES, where='--damages'
      )
  if _FOLDERS.value < 1 or _KILLS.value < 1 or _SEED.value < 0:
    raise errors.UserError(
      f'--folders={_FOLDERS.value} --kills={_KILLS.value} '
      f'--seed={_SEED.value}: expected whole numbers of at least 1, 1 and 0.'
    )
  if not _OUT.value:
    raise errors.UserError('Say where the runs should go with --out=DIR.')
  out = pathlib.Path(_OUT.value)
  for path in filter(None, (_OUT.value, _DOCS.value)):
    store.make_folder(pathlib.Path(path))
  with launch.resumable(out):
    if _TRIAL.value in ('soak', 'all'):
      _soak(out)
    if _TRIAL.value in ('matrix', 'all'):
      _matrix(out)
  outcomes = page.kept_matrix(out / page.MATRIX)
  folders = page.kept_soak(out / page.SOAK)
  text = page.page(
    outcomes,
    folders,
    command='python -m experiments.studies.robust_runs '
    f'--folders={len(folders) or _FOLDERS.value} --kills={_KILLS.value} '
    f'--seed={_SEED.value} --out=DIR',
  )
  for place in filter(None, (_OUT.value, _DOCS.value)):
    path = pathlib.Path(place) / page.PAGE
    with files.saving(path) as part:
      part.write_text(text, encoding='utf-8')
    print(path)
  bad = [x for x in outcomes if x.state not in matrix.SOUND]
  odd = [x for x in folders if soak.unexpected(x)]
  print(f'{len(bad)} of {len(outcomes)} cases of damage are faults.')
  print(f'{len(odd)} of {len(folders)} killed run folders are faults.')
  return 1 if bad or odd else 0


def _soak(out: pathlib.Path) -> None:
  found = []

  def told(folder):
    found.append(folder)
    page.keep(found, out / page.SOAK)
    kills = ', '.join(f'{k.signal} during {k.during}' for k in folder.kills)
    lines = soak.unexpected(folder) or ['the same result']
    _tell(f'folder {folder.number}: {kills}: {"; ".join(lines)}')

  limit = 60 * _MINUTES.value
  soak.run(
    out / 'soak',
    folders=_FOLDERS.value,
    kills=_KILLS.value,
    seed=_SEED.value,
    until=time.time() + limit if limit else float('inf'),
    on_folder=told,
  )


def _matrix(out: pathlib.Path) -> None:
  folder = out / 'run'
  matrix.make(folder)
  known = matrix.kinds(folder)
  for kind in _KINDS.value:
    if kind not in known:
      raise errors.unknown_name('kind', kind, known, where='--kinds')
  found = []

  def told(outcome):
    found.append(outcome)
    page.keep(found, out / page.MATRIX)
    case = outcome.case
    _tell(f'{case.kind}, {case.damage}, {case.action}: {outcome.state}')

  wanted = matrix.cases(
    folder,
    lambda case: (
      case.damage in _DAMAGES.value
      and (not _KINDS.value or case.kind in _KINDS.value)
    ),
  )
  matrix.run(folder, wanted, told)


def _tell(line: str) -> None:
  print(line, file=sys.stderr, flush=True)


if __name__ == '__main__':
  launch.main(_run)
