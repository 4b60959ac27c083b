"""Cases of the other launchers' flags and files, and of poor surroundings."""

import resource

from tests.malformed import case

_PLAN = ('--auroc_single=.8,.78', '--gain=.03', '--prevalence=.2')


def _of(
  name, module, flags, words, *, code=2, content=None, limits=None, **env
):
  def make(folder):
    if content is not None:
      case.write(folder / 'f.csv', content)
    if module == 'prepare':
      case.cohort(folder, descriptor=case.toml(images='"i/{sid}.png"'))
      for i in range(case.STUDIES):
        case.write(folder / f'i/s{i}.png', case.png(i))

  return case.Case(
    f'{module.rpartition(".")[2]}_{name}',
    case.REFUSED if code else case.READ,
    (words,),
    make,
    module,
    tuple(flags),
    code,
    limits=limits or {},
    environment=env,
  )


def _plan(name, words, *flags):
  return _of(name, 'plan', (*_PLAN, *flags), words)


def _evidence(name, words, content, file='f.csv'):
  flags = (f'--studies={file}', '--out=out')
  module = 'experiments.studies.evidence'
  return _of(name, module, flags, words, content=content)


CASES = (
  _plan('gain_nan', 'gain=nan', '--gain=nan'),
  _plan('gain_word', 'expected numbers', '--gain=much'),
  _plan('prevalence', 'between 0 and 1', '--prevalence=0'),
  _plan('auroc', 'auroc_single=2', '--auroc_single=2,3'),
  _plan('auroc_nan', 'auroc_single=nan', '--auroc_single=nan,.8'),
  _plan(
    'arms_many', 'at most 100', f'--arms={",".join(map(str, range(300)))},x'
  ),
  _plan('arms_absurd', 'from 1 to 100', f'--arms={10**30}'),
  _plan('arms_infinite', 'from 1 to 100', '--arms=inf'),
  _plan('arms_nan', 'from 1 to 100', '--arms=nan'),
  _plan('folds', 'expected 1', f'--folds={10**30}'),
  _plan('studies', 'icc', f'--studies_per_patient={10**30}'),
  _plan('power', 'power=nan', '--power=nan'),
  _plan('margin', '--margin=0', '--margin=0'),
  _evidence('absent', 'cannot be read', None),
  _evidence('folder', 'is a folder', None, '.'),
  _evidence('empty', 'has no rows', ''),
  _evidence('binary', 'is not utf-8', bytes(range(256))),
  _evidence('columns', "expected the column 'id'", 'study,year\nx,1\n'),
  _of('no_run', 'predict', ('--run=nope', '--cohort=null'), 'nope'),
  _of('no_run', 'robustness', ('--run=nope',), 'is not a run folder'),
  _of('a_file', 'robustness', ('--run=/dev/null',), 'is not a run folder'),
  _of(
    'fraction', 'robustness', ('--run=x', '--fractions=nan'), 'fraction of nan'
  ),
  _of(
    'share',
    'robustness',
    ('--run=x', '--train_missing=image:nan'),
    'expected MODALITY:SHARE',
  ),
  _of(
    'few_files',
    'prepare',
    ('--cohort=.',),
    'oo many open files',
    limits={resource.RLIMIT_NOFILE: 4},
  ),
  _of(
    'little_disk',
    'prepare',
    ('--cohort=.',),
    'Cannot keep',
    limits={resource.RLIMIT_FSIZE: 1000},
  ),
  _of(
    'no_home',
    'prepare',
    ('--cohort=.',),
    'There is no home directory',
    XDG_CACHE_HOME='',
    HOME='relative',
  ),
  _of(
    'home_that_is_not_there',
    'prepare',
    ('--cohort=.',),
    'Cannot keep',
    XDG_CACHE_HOME='',
    HOME='/proc/nobody',
  ),
)
