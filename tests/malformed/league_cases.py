"""Cases of the folders and flags of a league."""

import json

from tests import league_samples
from tests.malformed import case


def _of(name, words, flags=(), /, *, code=2, **changed):
  """Two sound runs, the second of which is changed."""

  def make(folder):
    league_samples.write(folder / 'a', name='a', ids='x')
    league_samples.write(folder / 'b', **{'name': 'b', 'ids': 'y', **changed})
    case.write(folder / 'empty/notes.txt', 'none')
    case.write(folder / 'broken/summary.json', '{"version": 3')
    case.write(folder / 'listed/summary.json', '[]')
    old = json.dumps(league_samples.content() | {'version': 2})
    case.write(folder / 'old/summary.json', old)

  return case.Case(
    f'league_{name}',
    case.REFUSED if code else case.WARNED,
    (words,),
    make,
    'league',
    tuple(flags) or ('--runs=a,b',),
    code,
  )


CASES = (
  _of('no_runs', 'names 0 runs', ('--out=out',)),
  _of('one_run', 'pools two or more', ('--runs=a',)),
  _of('empty_name', 'name of a folder is empty', ('--runs=a,,b',)),
  _of('twice', "names 'a' more than once", ('--runs=a,b,a',)),
  _of('no_folder', 'has no summary.json', ('--runs=a,nope',)),
  _of('no_summary', 'give the folder of a finished run', ('--runs=a,empty',)),
  _of('broken', 'summary.json', ('--runs=a,broken',)),
  _of('a_list', 'is of version None', ('--runs=a,listed',)),
  _of('version', 'is of version 2, not 3', ('--runs=a,old',)),
  _of('metric', 'only gains in one metric can be pooled', metric='c_index'),
  _of('content', 'so are not independent', name='a'),
  _of('studies', 'have the same id in both', ids='x'),
  _of(
    'content_independent',
    'their content is the same',
    ('--runs=a,b', '--shared=independent'),
    name='a',
  ),
  _of(
    'one_cohort',
    'All runs are of one cohort',
    ('--runs=a,b', '--shared=average'),
    name='a',
  ),
  _of('nothing_compared', 'no fusion arm was compared', comparisons=[]),
  _of(
    'reference',
    'not with the best single modality',
    evaluation={'metric': 'auroc', 'reference': 'ehr'},
  ),
  _of('undefined', 'no gain can be pooled', gains={'joint': None}),
  _of('estimator', "Did you mean 'reml'", ('--runs=a,b', '--estimator=rmle')),
  _of('shared', "Did you mean 'average'", ('--runs=a,b', '--shared=avrage')),
  _of('out', 'cannot be made', ('--runs=a,b', '--out=a/summary.json')),
  _of('no_ids', 'predictions are not there', code=0, ids=''),
)
