"""The league of public cohorts as a page, with what every arm came to."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.studies.public import study, tasks
from fusion_jax.ablation import store
from fusion_jax.core import files, words
from fusion_jax.evaluation import pilot
from fusion_jax.report import league as league_report
from fusion_jax.report import tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import style

PAGE = 'league.md'
FIGURES = ('forest', 'methods')

_COMMAND = """\
Written by `python -m experiments.studies.league --data_root=DATA --out=DIR
--docs=docs`: edit `experiments/studies/public/`, not this page.

```sh
fusion-jax league --runs=A,B,C,D --out=DIR
```

pools the gains of finished runs (folders of `ablate` or of `evaluate`) over
cohorts: does fusion help, where, and by which strategy? `--out` gets
`league.html`, `league.json`, tables (CSV, LaTeX) and forest plots.

## What is pooled, and how

- **A gain** is that of [the verdict](statistics.md#the-gain): the arm minus
  the best single modality on the same studies, with the standard error that
  the run states (`comparisons` in [summary.json](summary.md)).
- **Cohorts are the studies of a random-effects meta-analysis**: variance
  between cohorts by restricted maximum likelihood (`--estimator=dl` and `pm`
  are the others), intervals by Hartung and Knapp with max(1, q), a prediction
  interval for a new cohort from five cohorts on. It is the code that pools
  [published results](evidence.md), held to R's metafor in its tests.
- **A method** is an arm of one name; a warning says where runs make it of
  other parts. **A strategy**, and *every fusion arm*, is in each cohort the
  mean over its arms. The best of them would be too good by how it was picked.
  The standard error of the mean is taken to be the mean of the standard
  errors, the largest it can be.
- Two-sided p-values are adjusted by Holm's rule, over the methods and over the
  strategies, and decide the verdicts; bounds are of each alone.
- **Runs of one cohort are not independent** and are refused, whether they
  share their content or the ids of more than half of their studies: two labels
  of the same patients too. `--shared=average` takes their mean as one effect,
  with the largest standard error that it can have; `--shared=independent` is
  for ids that only happen to be the same.
- Runs that compare by different metrics are refused, as are those of another
  version, without a summary, and those that compare with one named arm.
"""


def text(
  folder: pathlib.Path,
  league: Mapping[str, Any],
  finished: Sequence[tasks.Task],
  stages: Sequence[tasks.Stage] = tasks.STAGES,
) -> str:
  """The page as Markdown.

  Args:
    folder: of the study, whose runs are finished.
    league: what `study.pooled` returned.
    finished: the tasks that were run.
    stages: of each, the recipes last.
  """
  compared = [_against(folder, stages[0], t) for t in finished]
  parts = [
    '# The league: gains of several runs, pooled',
    _COMMAND.rstrip(),
    '## Two public cohorts',
    _what(folder, finished, stages),
    '## Trained fusion beside frozen recipes',
    _recipes(compared),
    *(
      _task(folder, stages, task, found)
      for task, found in zip(finished, compared, strict=True)
    ),
    '## Pooled',
    _pooled(league),
  ]
  return '\n\n'.join(parts) + '\n'


def write(
  folder: pathlib.Path,
  league: Mapping[str, Any],
  finished: Sequence[tasks.Task],
  targets: Sequence[pathlib.Path],
  stages: Sequence[tasks.Stage] = tasks.STAGES,
) -> list[pathlib.Path]:
  """Writes the page and its figures into each of the targets; see `text`.

  Raises:
    UserError: if a file cannot be written.
  """
  content = {PAGE: text(folder, league, finished, stages).encode()}
  for drawn in figures(league):
    content[f'figures/league_{drawn.name}.svg'] = drawn.svg.encode()
  written = []
  for target in targets:
    store.make_folder(target / 'figures')
    for name, data in content.items():
      with files.saving(target / name) as part:
        part.write_bytes(data)
      written.append(target / name)
  return written


def figures(league: Mapping[str, Any]) -> list[style.Drawn]:
  """The forest plots of strategies and of methods."""
  page = league_report.build(league)
  return [x for section in page.sections for x in section.figures]


def _against(folder, stage, task) -> Mapping[str, Any]:
  path = study.folder_of(folder, stage.name, task) / study.AGAINST
  return json.loads(path.read_text(encoding='utf-8'))


def _summary(folder, stage, task) -> Mapping[str, Any]:
  return pilot.summary_of(study.folder_of(folder, stage.name, task))


def _what(folder, finished, stages) -> str:
  lines = [
    'PAD-UFES-20 and HAM10000 with the folds supplied with them '
    '([cohorts](cohorts.md#public-cohorts)): two cohorts, three tasks. One '
    'seed. Settings that are not the default:',
    '',
  ]
  for task in finished:
    for stage in stages:
      summary = _summary(folder, stage, task)
      own = task.settings if stage.tasks_own else ()
      run = summary['run']
      given = ', '.join(f'`{x}`' for x in (*own, *stage.settings)) or 'none'
      lines.append(
        f'- {task.title}, {stage.name}: {given}; '
        f'{words.counted(len(summary["arms"]), "arm")}, '
        f'{run["seconds"] / 60:.0f} min on {run["processors"]} shared '
        f'processors ({run["device"]}; Python {run["python"]}, jax '
        f'{run["versions"]["jax"]}).'
      )
  defined = [x for task in finished for x in task.arms]
  defined = dict.fromkeys([*defined, *(x for s in stages for x in s.arms)])
  lines += [
    '',
    'Beside the arms of [the review](strategies.md):',
    '',
    *(f'- `{x}`' for x in defined),
    '',
    'Configurations tried:',
    '',
    *(f'- {x}' for x in tasks.TRIED),
  ]
  return '\n'.join(lines)


def _recipes(compared: Sequence[Mapping[str, Any]]) -> str:
  recipes = list(compared[0]['recipes'])
  rows = [
    f'| {found["task"]["title"]} | '
    + ' | '.join(_entry(found['recipes'][x]) for x in recipes)
    + f' | `{found["best"]}` | {found["words"]} |'
    for found in compared
  ]
  head = ' | '.join(f'`{x}`' for x in recipes)
  ahead = [x['task']['title'] for x in compared if x['verdict'] == 'superior']
  return '\n'.join(
    [
      'A frozen recipe is a logistic regression with a penalty, on '
      'features of EfficientNet-Lite0 with ImageNet weights, on the record, or '
      'on both: '
      'nothing of the encoder is trained. AUROC [95%] of each, and whether any '
      'trained fusion arm is better than the best of them, with bounds for all '
      'arms and recipes at once. What beats a recipe need not be fusion: the '
      'single modalities in the tables below show what training an encoder '
      'gives by itself.',
      '',
      f'| task | {head} | best | trained fusion better? |',
      '|' + ' --- |' * (len(recipes) + 3),
      *rows,
      '',
      f'Trained fusion is significantly ahead of the best frozen recipe on '
      f'{len(ahead)} of {len(compared)} tasks'
      + (f': {"; ".join(ahead)}.' if ahead else '.'),
    ]
  )


def _task(folder, stages, task, found) -> str:
  """Every arm of a task: over the best single, over the best recipe."""
  summary = _summary(folder, stages[0], task)
  gains = {x['arm']: x for x in summary['comparisons']}
  over = {x['arm']: x for x in found['rows']}
  question = summary['question']
  lines = [
    f'### {task.title}',
    '',
    f'{summary["cohort"]["studies"]:,} studies, '
    f'{summary["cohort"]["patients"]:,} patients. Is fusion better than the '
    f'best single modality (`{summary["best_single"]["arm"]}`)? '
    f'**{question["words"]}**.',
    '',
    '| arm | AUROC [95%] | gain over the best single modality [95%] | verdict '
    '| gain over the best frozen recipe [95%] | p adjusted | verdict | seconds '
    '|',
    '|' + ' --- |' * 8,
  ]
  for arm, entry in summary['arms'].items():
    gain, recipe = gains.get(arm), over.get(arm)
    cells = [
      f'`{arm}`',
      _entry(entry['metrics']['auroc']),
      _difference(gain),
      _verdict(gain),
      _difference(recipe),
      text_lib.p_value(recipe['p_adjusted']) if recipe else '',
      _verdict(recipe),
      f'{entry["cost"].get("seconds") or 0:.0f}' if 'cost' in entry else '',
    ]
    lines.append(f'| {" | ".join(cells)} |')
  return '\n'.join(lines)


def _pooled(league) -> str:
  lines = []
  for table in (
    league_report.strategies(league),
    league_report.methods(league),
  ):
    lines += [_markdown(table), '', table.note, '']
  lines += [f'- {x}' for x in league['warnings']]
  lines += [
    '',
    *(f'![{x.title}](figures/league_{x.name}.svg)' for x in figures(league)),
  ]
  screen = league_report.screen(league)
  gain = screen.gain
  answer = (
    f'{screen.question} **{screen.answer}**: {gain.number} {gain.metric} '
    f'{gain.bounds} {gain.over}.'
  )
  said = [f'- {x.label.capitalize()}: {x.text}.' for x in screen.lines]
  return '\n'.join([answer, '', *said, '', *lines])


def _markdown(table: tables.Table) -> str:
  reasons = text_lib.Reasons()
  head = '| ' + ' | '.join(x.title for x in table.columns) + ' |'
  lines = [head, '|' + ' --- |' * len(table.columns)]
  for heading, rows in table.groups:
    for row in rows:
      name, *others = (x.bare(reasons) for x in row)
      shown = f'{name} ({heading})' if heading else name
      lines.append('| ' + ' | '.join([shown, *others]) + ' |')
  return '\n'.join([*lines, *('', *reasons.lines()) * bool(reasons.lines())])


def _entry(entry) -> str:
  return text_lib.interval(text_lib.number(entry), text_lib.Reasons())


def _difference(entry) -> str:
  if entry is None:
    return ''
  number = text_lib.number(entry, 'difference')
  return text_lib.interval(number, text_lib.Reasons(), signed=True)


def _verdict(entry) -> str:
  if entry is None:
    return ''
  within = ', by less than .02' if entry.get('within_margin') else ''
  return f'{entry["verdict"]}{within}'
