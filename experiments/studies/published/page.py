"""The published studies as a page and two figures, from a synthesis."""

import html
import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import errors, files, words
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import forest, style

UNKNOWN = 'unknown'
UNVERIFIED = '(?)'
PAGE = 'evidence.md'
DATA = 'evidence.json'

_RISK = {
  'held_out': 'held-out test part',
  'external': 'external test part',
  'interval': 'usable interval',
  'both_singles': 'both single modalities',
  'events_known': 'events known',
  'enough_events': '100 events and non-events',
}
_ANSWERS = {True: 'yes', False: 'no', None: UNKNOWN}
_SINGLE = {'image': 'image', 'ehr': 'EHR'}


def page(result: Mapping[str, Any], drawn: Sequence[style.Drawn]) -> str:
  """The synthesis as Markdown.

  Args:
    result: what `evaluation.synthesis.synthesise` gives.
    drawn: its `figures`, found in the folder figures/ beside the page.
  """
  count = result['counts']
  parts = [
    '# What published studies show of the gain of fusion',
    'Written by `python -m experiments.studies.evidence --out=DIR --docs=docs` '
    'from `experiments/studies/published/studies.csv`: edit the table, not '
    'this page.',
    f'{count["studies"]} studies of image and health-record fusion, '
    f'{count["in_review"]} of them those of the review of Huang et al. (2020, '
    f'npj Digit. Med. 3:136). {count["unknown"]} of these could not be '
    f'recovered and {count["from_memory"]} rows were not checked against a '
    f'source. Of all {count["studies"]}, {count["fusion"]} have a checked '
    f'result of fusion, {count["both_singles"]} also one of each single '
    f'modality, {count["interval"]} a published interval and '
    f'{count["events"]} a number of events. The table was gathered by '
    'searching for such studies, not by a systematic review, so that nothing '
    'here estimates what all studies would show.',
    f'`{UNVERIFIED}` marks what was not checked against its source: such a '
    f'number is in no computation and no figure. `{UNKNOWN}` is what the '
    'source that was read does not say. The gain is the AUROC (or other '
    'metric) of fusion minus that of the better of image and EHR alone, with '
    'a 95% interval where there is a standard error and a correlation of '
    f'{result["primary"]["correlation"]} between the two on the same patients. '
    f'{count["one_single"]} studies report only one of the two alone: what '
    'fusion gains over that one stands in a column of its own and '
    'is in no pooled gain. The gain over the better of the two is unknown '
    'there: it can be smaller, but not larger.',
    'The better of the two alone is picked by the published results of the '
    'same test part, and is then taken as fixed: no interval here allows for '
    'that choice. The better of two close results is on average too high, so '
    'that these gains lean low; fusion arms were often chosen by their test '
    'result too, which leans them high.',
    '## Results as published',
    *_results(result),
    '## Pooled gain',
    *_pooled(result, drawn),
    '## What speaks for each study',
    'Items of the analysis that the table can answer; `unknown` is not `no`.',
    _risk(result),
    '## Sources and notes',
    _sources(result),
  ]
  return '\n\n'.join(parts) + '\n'


def figures(result: Mapping[str, Any]) -> list[style.Drawn]:
  """The forest and the funnel plot, where there is something to draw."""
  drawn = []
  for name, title, canvas, caption in (
    (
      'evidence_forest',
      'Gain of fusion over the best single modality',
      _forest(result),
      'One line per study with its 95% interval, then the pooled gain for '
      'three assumed correlations and the prediction interval where there is '
      'one. Studies with one single modality reported stand apart and are not '
      'pooled.',
    ),
    (
      'evidence_funnel',
      'Funnel plot',
      _funnel(result),
      'Gain against its standard error, the axis upside down; the lines are '
      'where 95% of studies lie if all have the pooled gain.',
    ),
  ):
    if canvas is not None:
      drawn.append(style.Drawn(name, title, caption, canvas))
  return drawn


def write(
  result: Mapping[str, Any], folder: str | os.PathLike
) -> list[pathlib.Path]:
  """Writes evidence.json, evidence.md and the figures as SVG and PDF.

  Raises:
    UserError: if a file cannot be written.
  """
  folder = pathlib.Path(folder)
  _make(folder / 'figures')
  text = json.dumps(result, indent=2, allow_nan=False, ensure_ascii=False)
  drawn = figures(result)
  contents = {DATA: (text + '\n').encode(), PAGE: page(result, drawn).encode()}
  for x in drawn:
    contents[f'figures/{x.name}.svg'] = x.svg.encode()
    contents[f'figures/{x.name}.pdf'] = x.pdf()
  return _save(folder, contents)


def write_docs(
  result: Mapping[str, Any], folder: str | os.PathLike
) -> list[pathlib.Path]:
  """Writes the page and its SVG figures only.

  Raises:
    UserError: if a file cannot be written.
  """
  folder = pathlib.Path(folder)
  _make(folder / 'figures')
  drawn = figures(result)
  contents = {PAGE: page(result, drawn).encode()}
  for x in drawn:
    contents[f'figures/{x.name}.svg'] = x.svg.encode()
  return _save(folder, contents)


def _make(folder: pathlib.Path) -> None:
  try:
    folder.mkdir(parents=True, exist_ok=True)
  except OSError as e:
    raise errors.UserError(
      f"Could not make the folder '{folder}': {e.strerror}."
    ) from None


def _save(folder, contents) -> list[pathlib.Path]:
  for name, content in contents.items():
    with files.saving(folder / name) as part:
      part.write_bytes(content)
  return [folder / name for name in contents]


def _name(study) -> str:
  text = html.escape(study['name'], quote=False)
  unverified = any(
    study['cells'][x]['state'] == 'memory' for x in ('study', 'year')
  )
  return f'{text} {UNVERIFIED}' if unverified else text


def _cell(study, column: str) -> str:
  cell = study['cells'][column]
  if cell['state'] == 'unknown':
    return UNKNOWN
  text = html.escape(cell['text'], quote=False).replace('|', '&#124;')
  return f'{text} {UNVERIFIED}' if cell['state'] == 'memory' else text


def _value(study, column: str, low: str, high: str) -> str:
  text = _cell(study, column)
  ends = [study['cells'][x] for x in (low, high)]
  if text == UNKNOWN or any(x['state'] == 'unknown' for x in ends):
    return text
  return f'{text} [{ends[0]["text"]}, {ends[1]["text"]}]'


def _table(header, rows) -> str:
  lines = [header, ['---'] * len(header), *rows]
  return '\n'.join(f'| {" | ".join(x)} |' for x in lines)


def _gain(study, *, both: bool) -> str:
  gain = study['gain']
  if gain['estimate'] is None:
    return UNKNOWN
  if gain['both'] != both:
    return UNKNOWN if both else ''
  number = text_lib.Number(gain['estimate'], gain.get('low'), gain.get('high'))
  text = text_lib.interval(number, text_lib.Reasons(), signed=True)
  return text if both else f'{text} (over {_SINGLE[gain["single"]]})'


def _results(result) -> list[str]:
  rows = [
    [
      _name(study),
      _cell(study, 'task'),
      _cell(study, 'strategy'),
      _cell(study, 'n_test'),
      _cell(study, 'events'),
      _cell(study, 'metric'),
      _value(study, 'fusion', 'fusion_low', 'fusion_high'),
      _value(study, 'single_image', 'image_low', 'image_high'),
      _value(study, 'single_ehr', 'ehr_low', 'ehr_high'),
      _gain(study, both=True),
      _gain(study, both=False),
    ]
    for study in result['studies']
  ]
  header = 'study,task,strategy,n tested,events,metric,fusion,image,EHR,'
  header += 'gain over the best single,gain over the only single reported'
  lines = [_table(header.split(','), rows)]
  exact = [
    f'{s["name"]}: {s["cells"]["successes"]["text"]} of '
    f'{s["cells"]["trials"]["text"]} right is '
    f'{100 * s["exact_interval"]["estimate"]:.1f}%, '
    f'{100 * s["exact_interval"]["low"]:.1f} to '
    f'{100 * s["exact_interval"]["high"]:.1f}%.'
    for s in result['studies']
    if s['exact_interval']['low'] is not None
  ]
  if exact:
    lines.append(
      'Exact (Clopper-Pearson) 95% intervals where counts are known: '
      + ' '.join(exact)
    )
  return lines


def _pooled(result, drawn) -> list[str]:
  names = {s['cells']['id']['text']: s['name'] for s in result['studies']}
  main = ', '.join(names[x] for x in result['primary']['rows']) or 'none'
  wide = ', '.join(names[x] for x in result['wider_rows']) or 'none'
  rows = []
  for p in result['pooled']:
    mean = text_lib.Number(p['estimate'], p['low'], p['high'])
    if p['estimate'] is None:
      cells = [UNKNOWN] * 6
    else:
      reasons = text_lib.Reasons()
      cells = [
        text_lib.interval(mean, reasons, signed=True),
        _range(p['estimate'], p['unmodified']['low'], p['unmodified']['high']),
        _range(p['estimate'], p['prediction_low'], p['prediction_high']),
        f'{p["tau2"]:.5f}',
        f'{100 * p["i2"]:.0f}%',
        f'{p["q"]:.2f} ({text_lib.p_value(p["q_p"])})',
      ]
    rows.append(
      [
        p['rows'],
        p['errors'],
        f'{p["correlation"]:.1f}',
        p['estimator'].upper(),
        str(p['k']),
        *cells,
      ]
    )
  header = [
    'rows',
    'standard errors from',
    'correlation',
    'tau2 by',
    'k',
    'gain [95% interval]',
    'without max(1, q)',
    'a new study [95%]',
    'tau2',
    'I2',
    'Q (p)',
  ]
  return [
    f'The primary analysis takes the studies whose numbers of events are '
    f'known: {main}. A wider one also takes those with a published interval '
    f'that can be believed: {wide}. {_left_out(result)} Random effects; the '
    'between-study variance '
    'by restricted maximum likelihood (REML), DerSimonian and Laird (DL) or '
    'Paule and Mandel (PM). Intervals are those of Hartung and Knapp with t '
    'quantiles on k - 1 degrees and max(1, q): where by chance the gains '
    'differ less than their standard errors say (q below 1), the unmodified '
    'interval, given beside it, can be narrower than that of one precise study '
    '(Knapp and Hartung 2003; Roever, Knapp and Friede 2015; Jackson et al. '
    '2017). A prediction interval for a new study is given from '
    f'{result["fewest_for_prediction"]} studies on: with fewer the '
    'between-study variance is hardly known. Papers do not print the '
    'correlation of the two AUROCs on the '
    'same patients, so three are assumed. With this few studies an estimate '
    'of the between-study variance, 0 included, says little.',
    _table(header, rows),
    egger(result['egger']),
    *(f'![{x.title}](figures/{x.name}.svg)' for x in drawn),
  ]


def _range(estimate, low, high) -> str:
  """An interval without its estimate."""
  if low is None:
    return 'not given'
  number = text_lib.Number(estimate, low, high)
  text = text_lib.interval(number, text_lib.Reasons(), signed=True)
  return text.partition(' ')[2]


def _left_out(result) -> str:
  """How many rows with a gain over one single are in no pooled gain."""
  names = {s['cells']['id']['text']: s['name'] for s in result['studies']}
  rows = [names[x] for x in result['one_single']]
  if not rows:
    return 'Every study with a gain reports both image and EHR alone.'
  return (
    f'{words.counted(len(rows), "study")} with a result of only one of image '
    f'and EHR alone {"is" if len(rows) == 1 else "are"} left out: '
    f'{", ".join(rows)}.'
  )


def egger(found: Mapping[str, Any]) -> str:
  """What the test of small-study effects came to, or why it was not done."""
  if found['reason']:
    return f"Egger's test was not done: {found['reason']}."
  return (
    f"Egger's test: t = {found['t']:.2f} on {found['df']} degrees of freedom, "
    f'p = {text_lib.p_value(found["p"])}.'
  )


def _risk(result) -> str:
  rows = [
    [
      _name(study),
      *(_ANSWERS[study['risk_of_bias'][item]] for item in _RISK),
    ]
    for study in result['studies']
  ]
  return _table(['study', *_RISK.values()], rows)


def _sources(result) -> str:
  lines = []
  for study in result['studies']:
    cells = study['cells']
    text = [study['cells'][x]['text'] for x in ('doi', 'source')]
    source = '; '.join(x for x in text if x) or 'no source'
    if cells['confidence']['text'] == 'memory':
      source = f'not checked {UNVERIFIED}'
    line = f'- {_name(study)}: {source}'
    if cells['note']['text']:
      line += f'. {html.escape(cells["note"]["text"], quote=False)}'
    if study['gain'].get('reason'):
      line += f'. No interval of the gain: {study["gain"]["reason"]}'
    lines.append(line + '.')
  return '\n'.join(lines)


def _primary(result) -> list[Mapping[str, Any]]:
  """The pooled results of the primary analysis, one per correlation."""
  first = result['pooled'][0]
  return [
    p
    for p in result['pooled']
    if (p['rows'], p['errors']) == (first['rows'], first['errors'])
    and p['estimator'] == result['primary']['estimator']
  ]


def _forest(result):
  main = set(result['primary']['rows'])
  wide = set(result['wider_rows']) - main
  groups: dict[str, list] = {
    'events known': [],
    'interval published': [],
    'no standard error': [],
    'over the only single reported': [],
  }
  for study in result['studies']:
    gain = study['gain']
    if gain['estimate'] is None:
      continue
    number = text_lib.Number(
      gain['estimate'], gain.get('low'), gain.get('high')
    )
    name = study['cells']['id']['text']
    group = 'no standard error'
    if not gain['both']:
      group = 'over the only single reported'
    elif name in main or name in wide:
      group = 'events known' if name in main else 'interval published'
    groups[group].append((study['name'], number))
  pooled = [p for p in _primary(result) if p['estimate'] is not None]
  together = [
    (
      f'correlation {p["correlation"]}',
      text_lib.Number(p['estimate'], p['low'], p['high']),
    )
    for p in pooled
  ]
  for p in pooled:
    given = p['prediction_low'] is not None
    if given and p['correlation'] == result['primary']['correlation']:
      together.append(
        (
          'a new study',
          text_lib.Number(
            p['estimate'], p['prediction_low'], p['prediction_high']
          ),
        )
      )
  lines = []
  for heading, members in (
    ('events known', groups['events known']),
    ('these pooled', together),
    ('interval published', groups['interval published']),
    ('no standard error', groups['no standard error']),
    (
      'over the only single reported',
      groups['over the only single reported'],
    ),
  ):
    for i, (name, number) in enumerate(members):
      lines.append(forest.Line(name, number, '' if i else heading))
  return forest.draw(lines, axis='gain of fusion over the single')


def _funnel(result):
  main = set(result['primary']['rows'])
  points = [
    (s['gain']['estimate'], s['gain']['se'], s['cells']['id']['text'] in main)
    for s in result['studies']
    if s['gain'].get('se') is not None and s['gain']['both']
  ]
  if not points:
    return None
  deepest = 1.15 * max(se for _, se, _ in points)
  center = next(
    (
      p['estimate']
      for p in _primary(result)
      if p['correlation'] == result['primary']['correlation']
    ),
    None,
  )
  with style.context():
    canvas = style.new(4.9, 3.4)
    axes = canvas.subplots()
    if center is not None:
      reach = 1.959963984540054 * deepest
      axes.plot(
        [center - reach, center, center + reach],
        [deepest, 0, deepest],
        color=style.FAINT,
        linestyle='--',
        linewidth=1,
        label='95% of studies, one gain',
      )
      axes.axvline(center, color=style.FAINT, linewidth=0.9)
    for known, name in ((True, 'events known'), (False, 'interval published')):
      chosen = [(g, se) for g, se, here in points if here is known]
      if chosen:
        axes.plot(
          *zip(*chosen, strict=True),
          linestyle='',
          label=name,
          **{
            k: v
            for k, v in style.look(int(not known)).items()
            if k != 'linestyle'
          },
        )
    axes.set_ylim(deepest, 0)
    axes.set_xlabel('gain of fusion')
    axes.set_ylabel('standard error')
    style.legend(canvas, axes)
  return canvas
