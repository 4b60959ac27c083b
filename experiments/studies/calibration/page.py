"""The runs as a page with tables and a figure."""

import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.studies.calibration import cells, end_to_end, findings, scores
from fusion_jax.core import errors, files
from fusion_jax.report.figures import style

PAGE, DATA, FIGURE = (
  'calibration_of_the_verdict.md',
  'results.json',
  'calibration_of_the_verdict',
)
_SINGLES = {
  cells.TIED: 'two tied singles',
  cells.UNEQUAL: 'one strong, one weak',
  cells.FOUR_TIED: 'four tied singles',
}

# By part: heading, text, columns (outcome or attribute, title).
_COMMON = (
  ('world', 'singles'),
  ('k', 'k'),
  ('patients', 'patients'),
  ('per_patient', 'studies each'),
  ('fewest_patients', 'in the smaller class'),
)
_ERRORS = (
  ('superior', '"superior" wrongly'),
  ('inferior', '"inferior" wrongly'),
  ('equivalent', '"equivalent" wrongly'),
  ('covered', 'gains covered'),
)
_SECTIONS = {
  'scores': (
    'From scores',
    'Binormal scores of known AUROC: the best single arm has .80, fusion arms '
    'have that plus the gain in the table (all of them where it is not 0), the '
    'weak single arm .65. Single arms see one of two modalities in turn, '
    f'fusion arms both; prevalence {scores.PREVALENCE}; all studies of a '
    'patient have '
    "one label, and half of the variance of a score is the patient's; margin "
    f'{scores.MARGIN}. Scoring rules are fixed, so that folds are independent '
    'and the factor is 1. *Twins*: the last two fusion arms are the first '
    'single arm but for 1 and 3 studies; their differences hardly vary, their '
    't* has heavy tails, and the column says how much wider that makes the '
    "interval of the first arm. *Width* is the mean width of the gains' "
    'intervals.',
    (
      *_COMMON,
      ('gain', 'gain'),
      ('runs', 'runs'),
      *_ERRORS,
      ('width', 'width'),
      ('others_width', "twins: others' width"),
      ('state', 'criterion'),
      ('seconds_per_run', 's per run'),
    ),
  ),
  'intervals': (
    'Near 1 and with few events',
    'Two tied single arms and one fusion arm of the AUROC in the table, one '
    'study a patient, prevalence .2 with an exact number of events. Intervals '
    'of an arm: on the logit scale (the one that is reported), percentiles of '
    "the same bootstrap, and DeLong's standard error on the logit scale. An "
    'interval that does not exist (an AUROC of 1) counts as not covering.',
    (
      ('area', 'AUROC'),
      ('events', 'events'),
      ('n', 'patients'),
      ('runs', 'runs'),
      ('logit', 'logit'),
      ('percentile', 'percentile'),
      ('logit_delong', 'logit, DeLong'),
      ('undefined', 'no interval'),
      ('superior', '"superior" wrongly'),
      ('inferior', '"inferior" wrongly'),
      ('covered', 'gain covered'),
      ('gain_undefined', 'gain: no interval'),
      ('state', 'criterion'),
    ),
  ),
  'end_to_end': (
    'End to end',
    f'{end_to_end.FOLDS} folds by patient; elastic nets on image columns, EHR '
    'columns and both; late fusion by mean, by weights and by stacking fitted '
    'on validation predictions. EHR columns are a noisy copy of image columns, '
    'so that no fusion can be better than the image in the population; errors '
    "are judged by the true AUROCs of each run's own trained models, which are "
    'known exactly. With the factor of the table; docs/dependence.md has more '
    'learners.',
    (
      *_COMMON,
      ('runs', 'runs'),
      *_ERRORS,
      ('arm_covered', 'arms covered'),
      ('state', 'criterion'),
      ('seconds_per_run', 's per run'),
    ),
  ),
  'fresh': (
    'The same models on fresh patients',
    'The patients of every test part are replaced by as many new ones: no '
    'patient that one model is tested on has trained another, and the factor '
    'is 1.',
    (
      *_COMMON,
      ('runs', 'runs'),
      *_ERRORS,
      ('arm_covered', 'arms covered'),
      ('state', 'criterion'),
    ),
  ),
  'power': (
    'Power, and the rule before',
    'As from scores, with the gain of the first of three fusion arms in the '
    'table. Beside the verdict stands the former rule: the single arm that '
    'looked best on a validation part of a quarter of the studies. Its '
    'interval was read as that of the gain over the best single modality: the '
    'last column says how often it held that gain for all arms at once.',
    (
      *_COMMON,
      ('gain', 'gain'),
      ('runs', 'runs'),
      ('found', '"superior"'),
      ('former_found', 'former rule'),
      ('same', '"equivalent"'),
      ('former_same', 'former rule'),
      ('former_equivalent', 'former, wrongly equivalent'),
      ('covered', 'gains covered'),
      ('former_covered', 'former rule'),
      ('state', 'criterion'),
    ),
  ),
  'naive': (
    'Naive practice on the same data',
    "Without a true gain: the best of k on the test part, DeLong's test with "
    'every study taken as independent, one-sided 2.5%. Against the better '
    'single arm; against the weaker one, read as a gain of fusion; and one '
    'fixed arm, which shows what ignoring patients alone does.',
    (
      *_COMMON,
      ('runs', 'runs'),
      ('best_of_k', 'best of k'),
      ('against_weaker', 'against the weaker'),
      ('one_arm', 'one fixed arm'),
    ),
  ),
}


def page(results: Mapping[str, Any], *, command: str, figures: str) -> str:
  """The results as Markdown.

  Args:
    results: of `findings.judge`.
    command: what made them.
    figures: folder of the figure as the page sees it; empty for none.
  """
  paragraphs = [
    '# Does the verdict mean what it says?',
    f'Written by\n\n```sh\n{command}\n```',
    'Each run makes data whose truth is known and asks the procedure of '
    '[statistics.md](statistics.md#the-gain) for its verdict on the gain over '
    'the best single modality. Brackets hold 95% bounds (Clopper-Pearson). '
    'Coverage above 95% is expected where single arms are tied.',
    results['criterion'],
    f'**Result: {results["result"]}.**',
    '\n'.join(f'- {line}.' for line in findings.faults(results)),
  ]
  if figures:
    paragraphs.append(f'![Error rates and power]({figures}/{FIGURE}.svg)')
  for part, (heading, text, columns) in _SECTIONS.items():
    rows = [r for r in results['cells'] if r['part'] == part]
    if rows:
      paragraphs += [f'## {heading}', text, _table(rows, columns)]
  return '\n\n'.join(paragraphs) + '\n'


def _table(rows: Sequence[Mapping[str, Any]], columns) -> str:
  columns = [
    (name, title)
    for name, title in columns
    if any(_cell(row, name) != 'n/a' for row in rows)
  ]
  lines = [[title for _, title in columns], ['---'] * len(columns)]
  lines += [[_cell(row, name) for name, _ in columns] for row in rows]
  return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _cell(row, name) -> str:
  """One cell of a table as text."""
  if name == 'world':
    return findings.world(row)
  if name == 'patients':
    return str(math.ceil(row['n'] / row['per_patient']))
  if name == 'fewest_patients':
    return f'{row[name]:.0f}'
  if name == 'gain':
    return f'{row[name]:+.2f}' if row[name] else '0'
  if name == 'area':
    return f'{row["singles"][0]:.2f}'
  if name == 'seconds_per_run':
    return f'{row[name]:.2g}'
  if name == 'state':
    states = set(row['criterion'].values())
    order = (findings.FAIL, findings.APART, findings.PASS)
    return next((s for s in order if s in states), 'n/a')
  if name in row:
    return str(row[name])
  return findings.shown(row['outcomes'].get(name))


def figure(results: Mapping[str, Any]) -> style.Drawn | None:
  """Error rates by patients, and power of the verdict and the former rule."""
  panels = [
    ('scores', 'superior', 'no gain: "superior"'),
    ('naive', 'best_of_k', 'no gain: naive best of k'),
    ('power', 'found', 'gain found'),
    ('power', 'former_found', 'former rule: gain found'),
  ]
  panels = [
    (*x, [r for r in results['cells'] if r['part'] == x[0]]) for x in panels
  ]
  panels = [x for x in panels if x[3]]
  if not panels:
    return None
  with style.context():
    canvas = style.new(3.2 * len(panels) + 0.4, 4.2)
    for axes, (part, outcome, title, rows) in zip(
      canvas.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
      _panel(axes, part, outcome, rows)
      axes.set_title(title)
      axes.set_xlabel('patients tested')
      axes.legend(
        loc='upper center', bbox_to_anchor=(0.5, -0.18), ncols=1, fontsize=7
      )
  return style.Drawn(
    FIGURE,
    'Error rates and power',
    'Rates over simulated data by number of patients, with 95% bounds; the '
    'dashed line is 2.5%.',
    canvas,
    wide=True,
  )


def _panel(axes, part, outcome, rows) -> None:
  series: dict[str, list] = {}
  for r in rows:
    plain = r['folds'] == r['seeds'] == 1 and not r['twins']
    if outcome not in r['outcomes'] or not plain:
      continue
    if part == 'power':
      if not r['gain']:
        continue
      name = f'{_SINGLES[tuple(r["singles"])]}, gain {r["gain"]:g}'
    elif part == 'naive':
      name = f'k = {r["k"]}, {r["per_patient"]} a patient'
    else:
      if r['gain']:
        continue
      name = f'{_SINGLES[tuple(r["singles"])]}, {r["per_patient"]} a patient'
    patients = math.ceil(r['n'] / r['per_patient'])
    series.setdefault(name, []).append((patients, r['outcomes'][outcome]))
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
  ticks = sorted({x for points in series.values() for x, _ in points})
  axes.set_xticks(ticks, [f'{n:,}' for n in ticks], rotation=45)
  axes.minorticks_off()
  if part != 'power':
    axes.axhline(
      findings.NOMINAL['superior'],
      color=style.FAINT,
      linestyle='--',
      linewidth=0.9,
    )
  highest = max(
    (rate['high'] for points in series.values() for _, rate in points),
    default=0.1,
  )
  axes.set_ylim(0, min(1.02, max(0.05, 1.1 * highest)))


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
    with files.saving(folder / name) as temporary:
      temporary.write_bytes(content)
  return [folder / name for name in contents]


def _plain(value):
  if isinstance(value, Mapping):
    return {k: _plain(v) for k, v in value.items()}
  if isinstance(value, list | tuple):
    return [_plain(v) for v in value]
  if isinstance(value, float) and not math.isfinite(value):
    return None
  return value
