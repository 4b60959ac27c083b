"""Cases of configuration files, --set, splits.csv and registrations."""

import json

from tests.malformed import case

_WORLD = (
  '--set=cohort.n=120',
  '--set=cohort.image_size=16',
  '--set=audits.names=none',
  '--set=evaluation.replicates=50',
  '--set=splits.folds=2',
)
_RUN = ('--arms=ehr_linear', '--out=run', '--quiet', *_WORLD)


def _of(name, outcome, words, code, flags, files=()):
  words = (words,) if isinstance(words, str) else words

  def make(folder):
    for path, content in dict(files).items():
      case.write(folder / path, content)

  return case.Case(name, outcome, words, make, 'ablate', flags, code)


def _config(name, words, content, file='c.json'):
  files = {} if content is None else {file: content}
  flags = (f'--config={file}', *_RUN)
  return _of(f'config_{name}', case.REFUSED, words, 2, flags, files)


def _set(name, words, *settings):
  flags = (*_RUN, *(f'--set={x}' for x in settings))
  return _of(f'set_{name}', case.REFUSED, words, 2, flags)


def _flag(name, words, *flags, files=()):
  return _of(
    f'ablate_flag_{name}', case.REFUSED, words, 2, (*_RUN, *flags), files
  )


def _arms(count: int) -> str:
  return json.dumps({'arms': {f'arm{i}': 'ehr_linear' for i in range(count)}})


def _splits(change=None) -> str:
  """Two folds of a cohort whose studies are named s0, s1, ..."""
  lines = ['study_id,repeat,fold,part']
  for fold in (0, 1):
    for i in range(case.STUDIES):
      patient = i // 2
      part = 'test' if patient % 4 // 2 == fold else 'train'
      if part == 'train' and patient < 4:
        part = 'valid'
      lines.append(f's{i},0,{fold},{part}')
  if change:
    change(lines)
  return '\n'.join(lines) + '\n'


def _split(name, words, content, outcome=case.REFUSED, code=2, sid=None):
  words = (words,) if isinstance(words, str) else words

  def make(folder):
    columns = case.rows()
    columns['sid'][0] = sid or columns['sid'][0]
    case.cohort(folder / 'data', table=case.text_of(columns))
    if callable(content):
      content(folder / 'splits.csv')
    elif content is not None:
      case.write(folder / 'splits.csv', content)

  flags = (
    '--cohort=data',
    '--arms=ehr_linear',
    '--out=run',
    '--quiet',
    '--set=audits.names=none',
    '--set=evaluation.replicates=50',
    '--set=splits.scheme=file',
    '--set=splits.file=splits.csv',
  )
  return case.Case(f'split_{name}', outcome, words, make, 'ablate', flags, code)


def _line(at, text):
  def change(lines):
    lines[at] = text

  return _splits(change)


def _added(*texts):
  return _splits(lambda lines: lines.extend(texts))


# The line of a finished run on the cohort of the corpus.
_FINISHED = '24 studies · 12 patients · 12 events'

_REGISTERED = {
  'metric': 'auroc',
  'margin': 0.02,
  'arms': ['ehr_linear'],
  'reference': 'best_single',
  'estimand': 'min_single',
}


def _registered(name, words, content=None, *, file='r.json', **changes):
  """A registration, sound but for keys that are changed; None: left out."""
  if content is None:
    keys = {**_REGISTERED, **changes}
    content = json.dumps({k: v for k, v in keys.items() if v is not None})
  flags = (f'--registered={file}', '--out=run', '--quiet', *_WORLD)
  return _of(
    f'registered_{name}', case.REFUSED, words, 2, flags, {file: content}
  )


CASES = (
  _config('unknown', 'Unknown configuration', None, 'nope'),
  _config('absent', 'No such configuration file', None),
  _config('empty', 'is not legal JSON', ''),
  _config('text', 'is not legal JSON', 'seeds = 1'),
  _config('binary', 'is not legal JSON', bytes(range(256))),
  _config('utf16', 'is not legal JSON', '{}'.encode('utf-16')),
  _config('cut', 'is not legal JSON', '{"seeds": 1'),
  _config('list', 'expected a group, got []', '[]'),
  _config('null', 'expected a group, got None', 'null'),
  _config('number', 'expected a group, got 3', '3'),
  _config('words', "expected a group, got 'x'", '"x"'),
  _config('deep', 'nested too deeply', '[' * 99_999),
  _config('digits', 'too many digits', f'{{"seeds": {"9" * 5000}}}'),
  _config('bits', '64 bits', f'{{"seeds": {10**30}}}'),
  _config('twice', "'seeds' occurs twice", '{"seeds": 1, "seeds": 2}'),
  _config('nan', 'no JSON number', '{"evaluation": {"margin": NaN}}'),
  _config('infinite', 'expected', '{"evaluation": {"margin": 1e400}}'),
  _config('misspelt', "Did you mean 'seeds'", '{"sedes": 1}'),
  _config(
    'misspelt_below', "Did you mean 'epochs'", '{"training": {"epoch": 1}}'
  ),
  _config('kind', 'expected a whole number', '{"seeds": "1"}'),
  _config('kind_float', 'expected a whole number', '{"seeds": 1.5}'),
  _config('kind_bool', 'expected a whole number', '{"seeds": true}'),
  _config('kind_null', 'expected a whole number', '{"seeds": null}'),
  _config('kind_list', 'expected', '{"seeds": [1]}'),
  _config('kind_group', 'expected a group', '{"training": 1}'),
  _config('kind_tuple', 'expected', '{"run_arms": "ehr"}'),
  _config('version', 'versions 1 and 2 are known', '{"version": 3}'),
  _config('version_1_arm', 'cannot be translated', '{"arms": {"x": {}}}'),
  _config(
    'version_1_part',
    'cannot be translated: arms.joint.y=1',
    '{"arms": {"joint": {"y": 1}}}',
  ),
  _config('arm_number', 'expected', '{"arms": {"x": 1}}'),
  _config('arm_unknown', "Did you mean 'joint'", '{"arms": {"x": "jiont"}}'),
  _config('arm_blank', 'expected a name', '{"arms": {"x": ""}}'),
  _config('arm_name', 'letters, digits', '{"arms": {"../x": "joint"}}'),
  _config('arm_itself', 'Unknown arm', '{"arms": {"x": "x"}}'),
  _config('family', "Did you mean 'review'", '{"families": ["reveiw"]}'),
  _config('import', 'cannot be imported', '{"imports": ["no.such.module"]}'),
  _config('import_path', 'cannot be imported', '{"imports": ["../x"]}'),
  _config(
    'modality_kind',
    "Did you mean 'image'",
    '{"modalities": [{"name": "x", "kind": "imag", "side": "imaging"}]}',
  ),
  _config('many_arms', 'at most 100', _arms(300)),
  _set('no_value', 'Expected NAME=VALUE', 'seeds'),
  _set('no_name', 'Expected NAME=VALUE', '=1'),
  _set('unknown', "Did you mean 'seeds'", 'seed_s=1'),
  _set('unknown_below', 'Unknown config name', 'training.epoch=1'),
  _set('too_deep', 'inside a int', 'seeds.x=1'),
  _set('group', 'a name inside this group', 'training=1'),
  _set('blank', 'expected a whole number', 'seeds='),
  _set('half', 'expected a whole number', 'seeds=1.5'),
  _set('exponent', 'expected a whole number', 'seeds=1e3'),
  _set('seeds_none', 'from 1 to 1000', 'seeds=0'),
  _set('seeds_negative', 'from 1 to 1000', 'seeds=-1'),
  _set('seeds_absurd', '64 bits', f'seeds={10**30}'),
  _set('seeds_many', 'from 1 to 1000', 'seeds=1000000'),
  _set('seeds_digits', 'whole number', f'seeds={"9" * 5000}'),
  _set('trainings', 'at most 20000', 'seeds=1000', 'trials=1000'),
  _set('trials', 'from 1 to 1000', f'trials={10**12}'),
  _set('seed_negative', 'seed=-1', 'seed=-1'),
  _set('seed_absurd', '64 bits', f'seed={10**30}'),
  _set('repeats', 'from 1 to 1000', f'splits.repeats={10**12}'),
  _set('folds_1', 'at least 2 folds', 'splits.folds=1'),
  _set('folds_negative', 'at least 2 folds', 'splits.folds=-3'),
  _set('folds_many', 'folds are impossible', f'splits.folds={10**12}'),
  _set('scheme', "Did you mean 'kfold'", 'splits.scheme=kfolds'),
  _set('valid_none', 'between 0 and 1', 'splits.valid_fraction=0'),
  _set('valid_nan', 'between 0 and 1', 'splits.valid_fraction=nan'),
  _set('train_none', 'train_fraction', 'splits.train_fraction=0'),
  _set('rate_nan', 'learning_rate=nan', 'training.learning_rate=nan'),
  _set('rate_infinite', 'learning_rate=inf', 'training.learning_rate=inf'),
  _set('rate_negative', 'learning_rate=-1', 'training.learning_rate=-1'),
  _set('epochs_none', 'epochs=0', 'training.epochs=0'),
  _set('epochs_many', 'epochs=1000000000000', f'training.epochs={10**12}'),
  _set('batch_none', 'batch_size=0', 'training.batch_size=0'),
  _set('optimizer', "Did you mean 'adamw'", 'training.optimizer=adam'),
  _set('schedule', "Did you mean 'end'", 'training.schedule=cosine(ends=0)'),
  _set('dtype', "Did you mean 'bfloat16'", 'training.dtype=float16'),
  _set('groups', 'is no group such as', 'training.groups=encoders:-1'),
  _set(
    'methods',
    "Did you mean 'modality_dropout'",
    'training.methods=ogm_ge(alpha=1,noise=false),modality_drop',
  ),
  _set('margin_nan', 'margin=nan', 'evaluation.margin=nan'),
  _set('replicates', 'at most 100000', f'evaluation.replicates={10**12}'),
  _set('metric', 'Unknown', 'evaluation.metric=acuracy'),
  _set('horizons', 'horizons', 'evaluation.horizons=-1'),
  _set('audit', 'Unknown audit', 'audits.names=missingnes'),
  _set('permutations', 'from 2 to 1000', f'audits.permutations={10**12}'),
  _set('condition', 'Unknown condition', 'controls.conditions=emapp'),
  _set('emap', 'from 2 to 2000', f'controls.emap_studies={10**12}'),
  _set('levels', 'preprocess.max_levels', 'preprocess.max_levels=0'),
  _set('pixel_size', 'preprocess.pixel_size', f'preprocess.pixel_size={10**9}'),
  _set(
    'bins', 'preprocess.histogram_bins', f'preprocess.histogram_bins={10**12}'
  ),
  _set('leaves', 'max_leaf_nodes', f'classical.max_leaf_nodes={10**12}'),
  _set('l1_ratio', 'l1_ratio', 'classical.l1_ratio=2'),
  _set('studies_negative', 'cohort.n', 'cohort.n=-1'),
  _set('studies_many', 'cohort.n', f'cohort.n={10**12}'),
  _set('image_size', 'from 0 to 4096', f'cohort.image_size={10**9}'),
  _set('pixels', 'pixels', 'cohort.n=1000000', 'cohort.image_size=4096'),
  _set('absent', 'is not a share', 'cohort.absent_images=2'),
  _set('absent_nan', 'is not a share', 'cohort.absent_images=nan'),
  _set('task', 'Unknown task', 'cohort.task=binery'),
  _set('withhold', 'expected MODALITY:SHARE', 'cohort.withhold=image'),
  _set('devices', 'parallel.devices=99', 'parallel.devices=99'),
  _set('devices_many', 'parallel.devices', f'parallel.devices={10**12}'),
  _set('strategy', 'Unknown', 'parallel.strategy=pjit'),
  _set('home', 'No cohort', 'cohort.name=~nobody_of_that_name/x'),
  _flag('arm', "Did you mean 'joint'", '--arms=jiont'),
  _flag('arm_text', "Did you mean 'joint'", '--arm=x=jiont()'),
  _flag('arm_no_name', 'expected NAME=ARM', '--arm=joint(epochs=3)'),
  _flag('arm_open', 'is no part such as', '--arm=x=joint(image=resnet('),
  _flag(
    'arm_heads',
    'arms.x.image: vit(width=10,heads=3): width has to be a multiple',
    '--arm=x=joint(image=vit(width=10))',
  ),
  _flag('arm_deep', 'levels of parentheses', f'--arm=x=joint({"a=b(" * 99}'),
  _flag('arm_long', 'at most 4096', f'--arm=x=joint(a={"9" * 9999})'),
  _flag('arm_absurd', 'from 1 to 100000', '--arm=x=joint(epochs=9999999)'),
  _flag('arm_nan', 'expected', '--arm=x=joint(learning_rate=nan)'),
  _flag('arm_path', 'expected NAME=ARM', '--arm=../x=joint()'),
  _flag('arm_twice', 'same name', '--arm=x=joint()', '--arm=x=ehr()'),
  _flag('import', 'cannot be imported', '--import=no.such.module'),
  _flag('import_blank', 'cannot be imported', '--import='),
  _flag('cohort', "Did you mean 'synergy'", '--cohort=sinergy'),
  _flag('folds', 'folds', '--folds=x'),
  _flag('trials', 'trials', '--trials=1.5'),
  _flag('controls', 'Unknown condition', '--controls=x'),
  _flag('examples', '-1', '--examples=-1'),
  _flag('footprint', 'footprint', '--footprint=maybe'),
  _flag('argument', "Unexpected argument 'x'", 'x'),
  _flag('unknown', "Did you mean '--arms'", '--amrs=x'),
  _flag('controls_in_flag', 'Unknown flag', '--\x1b[2J=1'),
  _flag('long', 'characters', f'--cohort={"x" * 50_000}'),
  _flag('out_file', "'f' is a file", '--out=f', files={'f': 'x'}),
  _flag('out_other', 'is not a run folder', '--out=d', files={'d/x': 'x'}),
  _flag('out_nowhere', 'cannot be made', '--out=/proc/nothing/x'),
  _split('absent', 'Split file', None),
  _split('empty', 'the first row must be', ''),
  _split('header_only', 'it has no rows', 'study_id,repeat,fold,part\n'),
  _split('header', 'the first row must be', 'study,repeat,fold,part\n'),
  _split('semicolons', '2/2 nodes', _splits().replace(',', ';'), case.READ, 0),
  _split(
    'latin1', 'Split file', _splits().replace('s1,', 'é,').encode('latin-1')
  ),
  _split('binary', 'Split file', bytes(range(256))),
  _split('folder', 'splits.csv', lambda path: path.mkdir()),
  _split('study', "no study 's99'", _added('s99,0,0,test')),
  _split('part', "part 'dev' is none of", _line(1, 's0,0,0,dev')),
  _split(
    'fold_word', "fold 'a' is not a whole number", _line(1, 's0,0,a,test')
  ),
  _split('fold_negative', "fold '-1' is not", _line(1, 's0,0,-1,test')),
  _split(
    'fold_digits', 'more than 9 digits', _line(1, f's0,0,{"9" * 5000},test')
  ),
  _split('repeat_half', "repeat '0.5' is not", _line(1, 's0,0.5,0,test')),
  _split('short_row', '2 cells, expected 4', _added('s0,0')),
  _split('huge_cell', 'Split file', _added('x' * 200_000 + ',0,0,test')),
  _split('twice', 'was already put in', _added('s0,0,0,test')),
  _split('patient', 'is in valid and test', _line(3, 's2,0,0,valid')),
  _split('no_valid', 'no valid studies', _splits().replace('valid', 'train')),
  _split('nul', 'Split file', _line(1, 's0,0,0,\x00')),
  _split('control', "no study '[2J'", _added('\x1b[2J,0,0,test')),
  _split(
    'byte_order_mark',
    _FINISHED,
    '\ufeff' + _splits(),
    outcome=case.READ,
    code=0,
  ),
  _split(
    'windows_lines',
    _FINISHED,
    _splits().replace('\n', '\r\n'),
    outcome=case.READ,
    code=0,
  ),
  _split(
    'formula',
    _FINISHED,
    _splits().replace('s0,', "'=s0,"),
    outcome=case.READ,
    code=0,
    sid='=s0',
  ),
  _registered('kind', "not '.yaml'", '{}', file='r.yaml'),
  _registered('empty', 'is not legal JSON', ' '),
  _registered('empty_toml', 'missing', ' ', file='r.toml'),
  _registered('cut', 'is not legal JSON', '{"metric": "auroc"'),
  _registered('cut_toml', 'is not legal TOML', 'metric = ', file='r.toml'),
  _registered('binary', 'is not legal JSON', bytes(range(256))),
  _registered('list', 'expected keys and values', '[]'),
  _registered('null', 'expected keys and values', 'null'),
  _registered('deep', 'nested too deeply', '[' * 99_999),
  _registered(
    'deep_toml', 'nested too deeply', f'a = {"[" * 9999}', file='r.toml'
  ),
  _registered('digits', 'too many digits', f'{{"margin": {"9" * 5000}}}'),
  _registered(
    'digits_toml', 'too many digits', f'margin = {"9" * 5000}', file='r.toml'
  ),
  _registered('twice', "'metric' occurs twice", '{"metric": 1, "metric": 2}'),
  _registered('unknown_key', "Did you mean 'margin'", margn=1),
  *(
    _registered(f'no_{name}', f"missing '{name}'", **{name: None})
    for name in ('metric', 'margin', 'arms', 'reference')
  ),
  _registered('metric_number', 'expected text', metric=5),
  _registered('metric_unknown', 'Unknown', metric='acuracy'),
  _registered('metric_of_another_task', 'c_index', metric='c_index'),
  _registered('margin_zero', 'expected a positive number', margin=0),
  _registered('margin_negative', 'expected a positive number', margin=-0.1),
  _registered('margin_true', 'expected a positive number', margin=True),
  _registered('margin_text', 'expected a positive number', margin='0.02'),
  _registered('margin_nan', 'no JSON number', margin=float('nan')),
  _registered(
    'margin_nan_toml',
    'expected a positive number',
    'metric="auroc"\nmargin=nan\narms=["ehr"]\nreference="x"',
    file='r.toml',
  ),
  _registered('arms_none', 'expected a list of names', arms=[]),
  _registered('arms_text', 'expected a list of names', arms='ehr'),
  _registered('arms_number', 'expected a list of names', arms=[1]),
  _registered('arms_unknown', "Did you mean 'joint'", arms=['jiont']),
  _registered('reference_number', 'expected text', reference=5),
  _registered('estimand', 'Unknown estimand', estimand='mean'),
  _registered('cohort_number', 'expected text', cohort=5),
)
