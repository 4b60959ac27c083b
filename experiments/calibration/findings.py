"""What the runs say: rates with bounds, the criterion, a page and a figure."""

import json
import math
import pathlib
import textwrap
from collections.abc import Mapping
from typing import Any

from experiments.calibration import cells as cells_lib
from experiments.calibration import end_to_end, scores
from fusion_jax.core import errors, files, words
from fusion_jax.evaluation import caveats, meta_analysis
from fusion_jax.report.figures import style

VERSION = 1
PASS, UNCLEAR, FAIL, REPORTED = 'pass', 'unclear', 'FAIL', 'reported'
JUDGED = ('scores', 'end_to_end')
# Parts that train models and evaluate them.
WHOLE = ('end_to_end', 'fresh')
PARTS = ('scores', *WHOLE, 'power', 'naive')

_LEVEL, _LARGEST = 0.05, 0.065
# A rate that runs must be able to show before they can be said to pass. From
# 300 runs on, an upper bound reaches it only where the rate itself is too high.
_SEEN = 0.1
_COVERAGE = (0.93, 0.97)
_NAMES = {
  'superior': '"superior"',
  'arm_covered': 'arms covered',
  'differences_covered': 'differences covered',
}
CRITERION = (
  f'Criterion: of the runs without a true gain, those with a "superior" have a '
  f'lower Clopper-Pearson bound of at most {_LEVEL:.0%} and a rate of at most '
  f'{_LARGEST:.1%}; where the smaller class has {caveats.FEWEST_PATIENTS} '
  f'patients or more, intervals cover the truth in {_COVERAGE[0]:.0%} to '
  f'{_COVERAGE[1]:.0%} of runs. Unclear, as more runs are needed: a rate of '
  f'"superior" that satisfies this, but whose upper bound is {_SEEN:.0%} or '
  'more; coverage outside that range whose own 95% interval reaches into it.'
)
PAGE, DATA, FIGURE = (
  'calibration_of_the_verdict.md',
  'results.json',
  'calibration_of_the_verdict',
)


def judge(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
  """The results of `cells.run`, JSON-ready, with what the criterion says.

  A rate is {estimate, low, high, runs} with Clopper-Pearson bounds. The share
  of arms covered is taken as one trial a run, as the arms of a run are alike:
  its bounds are rather too wide.
  """
  rows = [_row(result) for result in found.values()]
  states = [s for row in rows for s in row['criterion'].values()]
  overall = PASS
  for state in (UNCLEAR, FAIL):
    overall = state if state in states else overall
  if not any(s in (PASS, UNCLEAR, FAIL) for s in states):
    overall = REPORTED
  return {
    'version': VERSION,
    'criterion': CRITERION,
    'result': overall,
    'cells': rows,
  }


def _row(result) -> dict[str, Any]:
  cell, tallies = result['cell'], result['tallies']
  fewest = tallies['fewest']
  outcomes = {
    name: _rate(tally)
    for name, tally in tallies.items()
    if name != 'fewest' and tally.runs
  }
  criterion = {}
  if cell.part in JUDGED:
    if 'superior' in outcomes:
      criterion['superior'] = _judge_rate(outcomes['superior'])
    enough = fewest.mean >= caveats.FEWEST_PATIENTS
    for name in ('arm_covered', 'differences_covered'):
      if name in outcomes:
        state = _judge_coverage(outcomes[name])
        criterion[name] = state if enough else REPORTED
  return {
    'part': cell.part,
    'k': cell.k,
    'n': cell.n,
    'per_patient': cell.per_patient,
    'gain': cell.gain,
    'ehr': cell.ehr if cell.part not in WHOLE else None,
    'runs': fewest.runs,
    'seconds_per_run': result['seconds'] / fewest.runs,
    'fewest_patients': fewest.mean,
    'outcomes': outcomes,
    'criterion': criterion,
  }


def _rate(tally: cells_lib.Tally) -> dict[str, Any]:
  low, high = meta_analysis.clopper_pearson(round(tally.total), tally.runs)
  return {'estimate': tally.mean, 'low': low, 'high': high, 'runs': tally.runs}


def _judge_rate(rate) -> str:
  if rate['low'] > _LEVEL or rate['estimate'] > _LARGEST:
    return FAIL
  return PASS if rate['high'] < _SEEN else UNCLEAR


def _judge_coverage(rate) -> str:
  if _COVERAGE[0] <= rate['estimate'] <= _COVERAGE[1]:
    return PASS
  reaches = rate['low'] <= _COVERAGE[1] and rate['high'] >= _COVERAGE[0]
  return UNCLEAR if reaches else FAIL


def page(results: Mapping[str, Any], *, command: str, figures: str) -> str:
  """The results as Markdown.

  Args:
    results: of `judge`.
    command: what made them.
    figures: folder of the figure as the page sees it; empty for none.
  """
  of = {p: [r for r in results['cells'] if r['part'] == p] for p in PARTS}
  parts = [
    '# Does "superior" mean it?',
    f'Written by\n\n```sh\n{command}\n```',
    'Each run makes data whose truth is known and asks the procedure of '
    '`docs/statistics.md` for its verdict. Brackets hold 95% '
    'bounds (Clopper-Pearson, one trial a run).',
    results['criterion'],
    f'**Result: {results["result"]}.**',
    '\n'.join(f'- {line}.' for line in _faults(results)),
  ]
  if figures:
    parts.append(f'![Rates of "superior" and power]({figures}/{FIGURE}.svg)')
  if of['scores']:
    parts += [
      '## From scores, without a true gain',
      f'True AUROC {scores.IMAGE_AUROC:.2f} of the image and of k fusion '
      'arms; that of the EHR is in the table, and where it is low nothing but '
      'the comparison with the image holds "superior" back. Scores of arms '
      'that see the image correlate '
      f'by 0.8 within a class; prevalence {scores.PREVALENCE}; all studies of '
      'a patient have one label, and half of the variance of the scores is '
      "the patient's. The reference is chosen on a validation part of a "
      'quarter of n. "Superior" is any of the k arms being called so; '
      'differences count as covered if all k simultaneous intervals hold '
      'their truths.',
      _table(
        of['scores'],
        ('superior', 'arm_covered', 'differences_covered'),
        ('"superior"', 'arms covered', 'differences covered'),
      ),
    ]
  if of['naive']:
    parts += [
      '## Naive practice on the same data',
      "Without a true gain: the best of k on the test part, DeLong's test "
      'with every study taken as independent, one-sided 2.5%. Against the '
      'better single modality; against the weaker one, which fusion truly '
      'beats, read as a gain of fusion; and one fixed arm against the image, '
      'which shows what ignoring patients alone does.',
      _table(
        of['naive'],
        ('best_of_k', 'against_weaker', 'one_arm'),
        ('best of k', 'against the weaker', 'one fixed arm'),
      ),
    ]
  if of['end_to_end']:
    parts += [
      '## End to end, without a true gain',
      f'{end_to_end.FOLDS} folds by patient; elastic nets on image columns, '
      'EHR columns and both; late fusion by mean, by weights and by stacking '
      'fitted on validation predictions; the reference chosen on validation; '
      'the whole summary. EHR columns are a noisy copy of image columns, so '
      'that no fusion of both can be better than the image in the population. '
      '"Wrongly" is a "superior" of an arm whose trained models are in truth '
      'no better than those of the reference; coverage is of the true AUROCs '
      "of the trained models. Each fold's test part trains the models of the "
      'others, so that the errors of folds depend on each other, which the '
      'intervals do not know (Bates et al. 2024, J. Am. Stat. Assoc. 119, '
      '1434-1445).',
      _of_whole(of['end_to_end']),
    ]
  if of['fresh']:
    parts += [
      '## The same models, tested on fresh patients',
      'As end to end, and in each run the same models, but the patients of '
      'every test part are replaced by as many new ones: no patient that one '
      'model is tested on has trained another. What coverage is higher by '
      'here is what the dependence of folds costs there.',
      _of_whole(of['fresh']),
    ]
  if of['power']:
    parts += [
      '## Power',
      'As above, with a true gain of the first arm: how often this arm is '
      'called superior, and any of the others wrongly.',
      _table(
        of['power'],
        ('found', 'superior'),
        ('gain found', 'others "superior"'),
        gain=True,
      ),
    ]
  return '\n\n'.join(filter(None, parts)) + '\n'


def _of_whole(rows) -> str:
  return _table(
    rows,
    ('superior', 'wrongly', 'arm_covered', 'differences_covered'),
    ('"superior"', 'wrongly', 'arms covered', 'differences covered'),
  )


def _table(rows, outcomes, titles, gain=False) -> str:
  judged = any(r['criterion'] for r in rows)
  header = ['k', 'n', 'studies a patient', 'patients in the smaller class']
  with_ehr = any(r['ehr'] is not None for r in rows)
  header += ['EHR AUROC'] * with_ehr
  header += ['true gain'] * gain + ['runs', *titles]
  header += ['criterion'] * judged + ['s per run']
  lines = [header, ['---'] * len(header)]
  for r in rows:
    cells = [str(r['k']), str(r['n']), str(r['per_patient'])]
    cells += [f'{r["fewest_patients"]:.0f}']
    if with_ehr:
      cells.append(f'{r["ehr"]:.2f}')
    cells += [f'{r["gain"]:.3f}'] * gain + [str(r['runs'])]
    cells += [_shown(r['outcomes'].get(name)) for name in outcomes]
    if judged:
      cells.append(_states(r['criterion']))
    lines.append([*cells, f'{r["seconds_per_run"]:.2g}'])
  return '\n'.join(f'| {" | ".join(x)} |' for x in lines)


def _states(criterion: Mapping[str, str]) -> str:
  """Each state once; of what, where it is not a pass or known to be so."""
  named: dict[str, list[str]] = {}
  for name, state in criterion.items():
    named.setdefault(state, []).append(_NAMES[name])
  return ', '.join(
    f'{state} ({", ".join(names)})' if state in (UNCLEAR, FAIL) else state
    for state, names in named.items()
  )


def _shown(rate) -> str:
  if rate is None:
    return 'n/a'
  bounds = f'{100 * rate["low"]:.1f}, {100 * rate["high"]:.1f}'
  return f'{100 * rate["estimate"]:.1f}% [{bounds}]'


def figure(results: Mapping[str, Any]) -> style.Drawn | None:
  """Rates by n: of "superior" without a gain, naive ones, and power."""
  panels = [
    ('scores', 'superior', 'no gain: "superior"'),
    ('naive', 'best_of_k', 'no gain: naive best of k'),
    ('power', 'found', 'gain found'),
  ]
  panels = [
    (*x, [r for r in results['cells'] if r['part'] == x[0]]) for x in panels
  ]
  panels = [x for x in panels if x[3]]
  if not panels:
    return None
  with style.context():
    canvas = style.new(3.2 * len(panels) + 0.4, 4.0)
    for axes, (part, outcome, title, rows) in zip(
      canvas.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
      _panel(axes, part, outcome, rows)
      axes.set_title(title)
      axes.set_xlabel('studies tested')
      axes.legend(
        loc='upper center', bbox_to_anchor=(0.5, -0.18), ncols=2, fontsize=7
      )
  return style.Drawn(
    FIGURE,
    'Rates of "superior" and power',
    'Rates over simulated data by number of studies, with 95% bounds; the '
    'dashed line is 5%.',
    canvas,
    wide=True,
  )


def _panel(axes, part, outcome, rows) -> None:
  series: dict[str, list] = {}
  for r in rows:
    name = f'k = {r["k"]}'
    name += f', gain {r["gain"]:g}' if part == 'power' else ''
    name += f', {r["per_patient"]} a patient' if part != 'power' else ''
    usual = r['ehr'] == cells_lib.EHR_AUROC
    if usual and outcome in r['outcomes']:
      series.setdefault(name, []).append((r['n'], r['outcomes'][outcome]))
  for i, (name, points) in enumerate(series.items()):
    points.sort(key=lambda x: x[0])
    n = [x * 1.02**i for x, _ in points]
    y = [rate['estimate'] for _, rate in points]
    below = [rate['estimate'] - rate['low'] for _, rate in points]
    above = [rate['high'] - rate['estimate'] for _, rate in points]
    axes.errorbar(
      n, y, yerr=[below, above], label=name, elinewidth=0.7, **style.look(i)
    )
  axes.set_xscale('log')
  ticks = sorted({r['n'] for r in rows})
  axes.set_xticks(ticks, [f'{n:,}' for n in ticks])
  axes.minorticks_off()
  if part != 'power':
    axes.axhline(_LEVEL, color=style.FAINT, linestyle='--', linewidth=0.9)
  highest = max(
    (rate['high'] for points in series.values() for _, rate in points),
    default=0.1,
  )
  axes.set_ylim(0, min(1.02, max(0.1, 1.1 * highest)))


def write(
  results: Mapping[str, Any], folder: pathlib.Path, *, command: str
) -> list[pathlib.Path]:
  """Writes results.json, the page and the figure (SVG and PDF).

  Raises:
    UserError: if a file cannot be written.
  """
  text = json.dumps(_plain(results), indent=2, allow_nan=False) + '\n'
  return _save(results, folder, {DATA: text.encode()}, command, pdf=True)


def write_docs(
  results: Mapping[str, Any], folder: pathlib.Path, *, command: str
) -> list[pathlib.Path]:
  """Writes the page and its SVG figure only.

  Raises:
    UserError: if a file cannot be written.
  """
  return _save(results, folder, {}, command, pdf=False)


def _save(results, folder, contents, command, pdf) -> list[pathlib.Path]:
  drawn = figure(results)
  contents = dict(contents)
  contents[PAGE] = page(
    results, command=command, figures='figures' if drawn else ''
  ).encode()
  if drawn is not None:
    contents[f'figures/{FIGURE}.svg'] = drawn.svg.encode()
    if pdf:
      contents[f'figures/{FIGURE}.pdf'] = drawn.pdf()
  try:
    (folder / 'figures').mkdir(parents=True, exist_ok=True)
  except OSError as e:
    raise errors.UserError(
      f"Could not make the folder '{folder / 'figures'}': {e.strerror}."
    ) from None
  for name, content in contents.items():
    with files.saving(folder / name) as part:
      part.write_bytes(content)
  return [folder / name for name in contents]


def lines(results: Mapping[str, Any], width: int = 80) -> list[str]:
  """What is printed: what does not pass and why, the criterion, the result.

  Cells that fail are told one by one, unclear ones by their number.

  Args:
    results: of `judge`.
    width: no line is longer.
  """
  judged, told, kept = _told(results)
  unclear: dict[tuple[str, str], list] = {}
  for row, name, state in told:
    if state == UNCLEAR:
      why = _why(name, state, row['outcomes'][name])
      why = why.removeprefix('with so few runs ')
      unclear.setdefault((name, why), []).append(row)
  paragraphs = [
    *(_fault(*x) for x in told if x[2] == FAIL),
    *(
      f'{UNCLEAR}: {_NAMES[name]} in {words.counted(len(rows), "cell")} of '
      f'{len(judged)}, too few runs to judge ({_runs(rows)}): {why}'
      for (name, why), rows in unclear.items()
    ),
    *([kept] if judged else []),
    *([f'Each unclear cell: {PAGE}'] if unclear else []),
    results['criterion'],
    f'Result: {results["result"]}',
  ]
  return [
    line
    for text in paragraphs
    for line in textwrap.wrap(
      text, width, subsequent_indent='  ', break_on_hyphens=False
    )
  ]


def _runs(rows) -> str:
  fewest, most = (f([r['runs'] for r in rows]) for f in (min, max))
  return f'{fewest} runs' if fewest == most else f'{fewest} to {most} runs'


def _faults(results: Mapping[str, Any]) -> list[str]:
  """Which cells fail or are unclear, why, and how many pass."""
  judged, told, kept = _told(results)
  return [*(_fault(*x) for x in told), *([kept] if judged else [])]


def _told(results):
  """Judged cells; (cell, outcome, state) that do not pass; how many do."""
  judged = [r for r in results['cells'] if r['criterion']]
  told = [
    (r, name, state)
    for r in judged
    for name, state in r['criterion'].items()
    if state in (UNCLEAR, FAIL)
  ]
  kept = len(judged) - len({id(r) for r, _, _ in told})
  told.sort(key=lambda x: x[2] != FAIL)
  return judged, told, f'{kept} of {len(judged)} judged cells pass'


def _fault(row, name, state) -> str:
  rate = row['outcomes'][name]
  return (
    f'{state}: {_cell(row)}: {_NAMES[name]} {_shown(rate)}, '
    f'{_why(name, state, rate)}'
  )


def _cell(row) -> str:
  ehr = '' if row['ehr'] is None else f', EHR AUROC {row["ehr"]:.2f}'
  return (
    f'{row["part"]}, k = {row["k"]}, n = {row["n"]}, {row["per_patient"]} a '
    f'patient{ehr}, {row["runs"]} runs'
  )


def _why(name, state, rate) -> str:
  if name != 'superior':
    where = f'outside {_COVERAGE[0]:.0%} to {_COVERAGE[1]:.0%}'
    reach = 'reaches into it' if state == UNCLEAR else 'lies outside as well'
    return f'{where}; its interval {reach}'
  if state == UNCLEAR:
    return f'with so few runs it may be {_SEEN:.0%} or more'
  if rate['estimate'] > _LARGEST:
    return f'more than {_LARGEST:.1%}'
  return f'its lower bound is more than {_LEVEL:.0%}'


def _plain(value):
  if isinstance(value, Mapping):
    return {k: _plain(v) for k, v in value.items()}
  if isinstance(value, list | tuple):
    return [_plain(v) for v in value]
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value
