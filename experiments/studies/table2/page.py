"""The table as Markdown, JSON and a figure."""

import json
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.studies.table2 import claims, figure
from fusion_jax.core import errors, files

NAME = figure.NAME
COMMAND = 'python -m experiments.studies.review_table'
# What a row cannot show, whatever its numbers are.
_NOTES = {
  claims.MISSING: 'The early and joint arms of this library have what the '
  "review's do not: a presence indicator, and zeros or training means for what "
  'is absent; the question is what these are worth. AUROC asks for the order '
  'of the studies alone: whether probabilities stay calibrated is not tested, '
  'and in this world the modalities add up, which favours imputation.',
  claims.INTERACTIONS: 'Neither modality alone tells anything of the label '
  'here, so an image encoder that is trained alone has nothing to learn: early '
  'fusion of type II works with features that are hardly better than random '
  'ones.',
  claims.FEATURES: 'One training per fold: the interval covers the choice of '
  'test patients, not that of random numbers in training.',
  claims.DATA: 'One draw of the smaller training parts. The gain is over a '
  'single modality that has few data as well, and every arm is asked by itself '
  'whether it keeps its gain; how the strategies differ at each size is in the '
  'gains.',
  claims.MODELS: 'Two halves of the training part have an encoder each, so an '
  "early arm with a CNN's features makes four fits; counted are kinds of "
  'models.',
  claims.DESIGN: 'Design is learning rate and weight decay (networks), penalty '
  'mix (elastic nets), learning rate, leaves and penalty (trees); '
  'architectures are not varied. SD: standard deviation of AUROC.',
  claims.LEVELS: 'A reading of the definitions more than an experiment: early '
  'fusion of type II does join learned image features with raw columns, but '
  'cannot learn them for the join.',
}


def number(check: Mapping[str, Any], decimals: int) -> str:
  """An estimate with its interval, as far as there are any."""
  if check['estimate'] is None:
    return ''
  text = _plain(check['estimate'], decimals)
  if check['low'] is None:
    return text
  low, high = (_plain(check[x], decimals) for x in ('low', 'high'))
  return f'{text} [{low}, {high}]'


def short(cell: Mapping[str, Any]) -> str:
  """How many checks found what the review says."""
  checks = cell['checks']
  same = sum(c['found'] == c['expected'] for c in checks)
  unclear = sum(c['found'] == claims.UNCLEAR for c in checks)
  text = f'{same} of {len(checks)} checks as the review says'
  return text + (f', {unclear} unclear' if unclear else '')


def markdown(
  result: Mapping[str, Any], *, command: str, picture: str = f'{NAME}.svg'
) -> str:
  """The page.

  Args:
    result: what `table.build` gives.
    command: that wrote it.
    picture: path of the figure as the page sees it.
  """
  outcomes = [
    cell['outcome']
    for row in result['rows'].values()
    for cell in row['cells'].values()
  ]
  counts = ', '.join(
    f'{outcomes.count(x)} {x}' for x in claims.OUTCOMES if x in outcomes
  )
  parts = [
    "# The review's Table 2, tested",
    'Huang et al. (2020, npj Digital Medicine 3:136) say in their Table 2 '
    'which of seven properties early, joint and late fusion have. Here every '
    'cell is tested on generated cohorts, with the arms of this library. A '
    'cell *agrees* if every check finds what the review says, *disagrees* if '
    'every one finds the opposite, and is *qualified* otherwise: arms, '
    'conditions or modalities differ, or the data do not say. The criteria '
    'were written into `experiments/studies/table2/` before any of these '
    'experiments was run; some remarks on how to read them, afterwards.',
    f'Written by `{command}`. Its rows took '
    f'{_took(result["rows"].values())}. The same command goes on where it '
    'stopped. Edit the code, not this page.',
  ]
  if result['quick']:
    parts.append(
      '**Quick run: cohorts and trainings are far too small for the numbers to '
      'mean anything.**'
    )
  parts += [
    f'Of {len(outcomes)} cells measured: {counts}.'
    if outcomes
    else 'No cell was measured.',
    _table(
      ['property', *claims.STRATEGIES],
      [
        [claims.CLAIMS[name].text, *_cells(result, name)]
        for name in claims.CLAIMS
      ],
    ),
    f"![The review's Table 2, tested]({picture})",
  ]
  for name, row in result['rows'].items():
    parts += _section(name, row)
  if result['not_measured']:
    parts.append(
      f'Not measured: {", ".join(result["not_measured"])}. Run '
      f'`{COMMAND} --out=DIR --rows={",".join(result["not_measured"])}`.'
    )
  parts.append(
    'Intervals are 95% percentile intervals of the patient bootstrap, '
    'conditional on the trained models; they hold for one number at a time. A '
    'generated world is one case: another could be built in which a cell comes '
    'out otherwise.'
  )
  return '\n\n'.join(parts) + '\n'


def write(
  result: Mapping[str, Any], folder: str | os.PathLike, *, command: str
) -> list[pathlib.Path]:
  """Writes review_table.json, .md, .svg and .pdf.

  Raises:
    UserError: if a file cannot be written.
  """
  drawn = figure.draw(result)
  text = json.dumps(result, indent=1, allow_nan=False, ensure_ascii=False)
  return _save(
    pathlib.Path(folder),
    {
      f'{NAME}.json': (text + '\n').encode(),
      f'{NAME}.md': markdown(result, command=command).encode(),
      f'{NAME}.svg': drawn.svg.encode(),
      f'{NAME}.pdf': drawn.pdf(),
    },
  )


def write_docs(
  result: Mapping[str, Any], folder: str | os.PathLike, *, command: str
) -> list[pathlib.Path]:
  """Writes the page and figures/review_table.svg only.

  Raises:
    UserError: if a file cannot be written.
  """
  picture = f'figures/{NAME}.svg'
  page = markdown(result, command=command, picture=picture)
  return _save(
    pathlib.Path(folder),
    {f'{NAME}.md': page.encode(), picture: figure.draw(result).svg.encode()},
  )


def _cells(result, name) -> list[str]:
  found = []
  for strategy in claims.STRATEGIES:
    words = f'review: {claims.CLAIMS[name].review[strategy]}'
    outcome = figure.outcome(result, name, strategy)
    if outcome != figure.NOT_MEASURED:
      cell = result['rows'][name]['cells'][strategy]
      words += f'; {short(cell)}'
    found.append(f'**{outcome}** ({words})')
  return found


def _section(name, row) -> list[str]:
  lines = []
  for strategy, cell in row['cells'].items():
    for check in cell['checks']:
      lines.append(
        [
          strategy,
          _arms(check['arm']),
          _about(check),
          number(check, row['decimals']),
          check['found'],
          check['expected'],
        ]
      )
  header = ['strategy', 'arm', 'of', 'measured [95%]', 'found', 'review']
  return [
    f'## {row["property"][0].upper()}{row["property"][1:]}',
    row['setup'],
    f'- Measured: {row["measure"]}.\n- Criterion: {row["criterion"]}.\n'
    f'- Took {_took([row])}.',
    _NOTES[name],
    _table(header, lines),
  ]


def _about(check) -> str:
  details = check['details']
  gains = {k: v for k, v in details.items() if k.startswith('gain_')}
  if gains:
    return 'gain when trained on ' + ', '.join(
      f'{k.rpartition("_")[2]}: {_plain(v["estimate"], 3)}'
      for k, v in gains.items()
    )
  if 'sd_settings' not in details:
    return check['about']
  return (
    f'SD over settings {details["sd_settings"]:.3f}, over seeds '
    f'{details["sd_seeds"]:.3f}'
  )


def _took(rows) -> str:
  """Time on the clock and on the processors; the first has other work in it."""
  wall = sum(row['seconds'] for row in rows)
  busy = sum(row['processor_seconds'] for row in rows)
  return f'{_minutes(wall)} ({_minutes(busy)} of processor time)'


def _minutes(seconds: float) -> str:
  return f'{seconds:.0f} s' if seconds < 60 else f'{seconds / 60:.0f} min'


def _plain(value: float, decimals: int) -> str:
  text = f'{value:.{decimals}f}'
  # A zero has no sign.
  return text.lstrip('-') if float(text) == 0 else text


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  lines = [header, ['---'] * len(header), *rows]
  return '\n'.join(f'| {" | ".join(x)} |' for x in lines)


def _save(folder, contents) -> list[pathlib.Path]:
  for name, content in contents.items():
    path = folder / name
    try:
      path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as e:
      raise errors.UserError(
        f"Could not make the folder '{path.parent}': {e.strerror}."
      ) from None
    with files.saving(path) as part:
      part.write_bytes(content)
  return [folder / name for name in contents]


def _arms(text: str) -> str:
  """Names of arms as code; words as they are."""
  names = text.split(', ')
  return ', '.join(x if ' ' in x else f'`{x}`' for x in names)
