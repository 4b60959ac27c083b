"""What was trained: every arm's parts and settings, in a table and in words."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fusion_jax.core import types, words
from fusion_jax.report import prose, sections, tables

_WORDS = prose.data('vocabulary')
# Hands on what it is given.
_RAW = 'raw'
# Views that say what they are of; others are of the modality.
_OF_IMAGES = ('images', 'pixels', 'features', 'pretrained')
# Of a network's settings, those that tables and texts name.
_SETTINGS = ('optimizer', 'batch_size', 'patience')


def section(summary: Mapping[str, Any]) -> sections.Section | None:
  """The table of all arms; None where nobody knows what they are made of."""
  made = table(summary)
  return sections.build('made_of', tables=[made]) if made else None


def table(summary: Mapping[str, Any]) -> tables.Table:
  """One row per arm, and one for each model that only others stand on."""
  described = {name: _described(made) for name, made in _every(summary)}
  titles = next(iter(described.values()), {})
  return tables.plain_table(
    'made_of',
    'What was trained, by arm',
    tables.of_words('arm', *titles),
    [
      [tables.word(name), *map(tables.word, texts.values())]
      for name, texts in described.items()
    ],
  )


def _described(made: Mapping[str, Any]) -> dict[str, str]:
  """By heading, what one arm is made of."""
  return {
    'learner': _learner(made),
    'inputs': inputs(made),
    'combined by': joined(made),
    'epochs': epochs(made),
    'settings': settings(made),
    'trials': trials(made),
    'stands on': ', '.join(made['stands_on']),
    'not default': differs(made),
  }


def lines(entry: Mapping[str, Any]) -> list[tuple[str, str]]:
  """(name, text) of an arm's entry for a model card; () if nobody knows."""
  made = entry.get('made_of')
  if not made:
    return []
  texts = _described(made)
  default = texts.pop('not default')
  upstream = {
    f'{name}, which it stands on': sentence(below)
    for name, below in made['upstream'].items()
  }
  rows = {'what it is': made['summary'], **texts}
  pairs = [(name.capitalize(), text) for name, text in rows.items()]
  pairs += [*upstream.items(), ('Not default', default or 'nothing')]
  return [(name, text) for name, text in pairs if text]


def sentence(made: Mapping[str, Any]) -> str:
  """What one arm is made of, without a full stop."""
  pieces = [f'{_learner(made)} on {inputs(made)}']
  if joined(made):
    pieces.append(f'combined by {joined(made)}')
  if epochs(made):
    pieces.append(f'epochs {epochs(made)}')
  return '; '.join(x for x in (*pieces, settings(made)) if x)


def fitted(summary: Mapping[str, Any]) -> list[str]:
  """What was fitted to prepare the data, by the kinds of modality there are."""
  seen = {
    entry.get('kind')
    for arm in summary['arms'].values()
    for entry in (arm.get('made_of') or {}).get('inputs', ())
  }
  known = _WORDS['fitted']
  # Kinds may be another package's.
  others = sorted(x for x in seen - {None} if x not in known)
  return [known[x] for x in known if x in seen] + [
    f'scaling of the kind {x}' for x in others
  ]


def methods(summary: Mapping[str, Any]) -> str:
  """Sentences for a methods text: parts and settings, learner by learner."""
  arms = dict(_every(summary))
  by_learner = {
    learner: {x: y for x, y in arms.items() if y['learner'] == learner}
    for learner in _WORDS['learners']
  }
  return prose.passage(
    'made_of',
    'methods',
    learners=[
      {
        'name': _WORDS['learners'][learner],
        'arms': {name: _brief(made) for name, made in those.items()},
        'settings': _alike(learner, those),
      }
      for learner, those in by_learner.items()
      if those
    ],
    image_sizes=sorted(
      {
        tuple(x['image_size'])
        for made in arms.values()
        for x in made['inputs']
        if x['image_size']
      }
    ),
    changes=list(dict.fromkeys(x for y in arms.values() for x in _changes(y))),
  )


def _alike(learner, arms) -> dict[str, list[str]]:
  """By settings in words, the arms of a learner that have them."""
  alike: dict[str, list[str]] = {}
  for name, made in arms.items():
    pieces = [_values(made['hyperparameters']), _fixed(made)]
    if epochs(made):
      pieces.append(f'{epochs(made)} epochs')
    inner = made.get('inner_folds')
    pieces.append(
      prose.passage('made_of', 'chosen', learner=learner, inner_folds=inner)
    )
    text = ', '.join(filter(None, pieces))
    if text:
      alike.setdefault(text, []).append(name)
  return alike


def _brief(made) -> str:
  """What one arm is, in a few words: 'resnet on images and the record'."""
  pieces = []
  for entry in made['inputs']:
    text = f'the {types.called(entry["modality"])}'
    if entry['view'] in _OF_IMAGES:
      text = _WORDS['view'][entry['view']]
    if entry.get('of'):
      text = f'{text} of {entry["of"]}'
    encoded = entry['encoder'] not in (None, _RAW)
    pieces.append(f'{entry["encoder"]} on {text}' if encoded else text)
  text = ' and '.join(pieces)
  if made['rule']:
    return f'{made["rule"]} of {" and ".join(made["stands_on"])}'
  return f'{text}, by {made["combiner"]}' if joined(made, '') else text


def _every(
  summary: Mapping[str, Any],
) -> Iterator[tuple[str, Mapping[str, Any]]]:
  """Arms that say what they are made of, and those below them, once each."""
  seen = set()
  for name, entry in summary['arms'].items():
    made = entry.get('made_of')
    if not made:
      continue
    for below, of_below in made['upstream'].items():
      if below not in seen:
        seen.add(below)
        yield below, of_below
    yield name, made


def _learner(made) -> str:
  return _WORDS['learner'].get(made['learner'], made['learner'])


def inputs(made: Mapping[str, Any]) -> str:
  """'resnet on image (images, 32 x 32), mlp on record'."""
  return ', '.join(map(_input, made['inputs']))


def _input(entry) -> str:
  view = _WORDS['view'].get(entry['view'], entry['view'])
  seen = [f'{view} of {entry["of"]}' if entry.get('of') else view]
  if entry.get('image_size') and entry['view'] in ('images', 'pixels'):
    height, width, channels = entry['image_size']
    seen.append(f'{height} x {width}, {words.counted(channels, "channel")}')
  if entry.get('components'):
    seen.append(f'{entry["components"]} components')
  name = types.called(entry['modality'])
  encoded = entry['encoder'] not in (None, _RAW)
  encoder = f'{entry["encoder"]} of ' if encoded else ''
  return f'{encoder}{name} ({", ".join(seen)})'


def joined(made: Mapping[str, Any], otherwise: str = 'one table') -> str:
  """The combiner or the late rule; of one modality nothing is combined."""
  if len(made['inputs']) < 2:
    return ''
  return made['combiner'] or made['rule'] or otherwise


def epochs(made: Mapping[str, Any]) -> str:
  """'12 to 20 of 20'; '' without epochs."""
  if not made['epochs']:
    return ''
  run = made['epochs']['run']
  done = text_range(run) if run else 'an unknown number'
  return f'{done} of {made["epochs"]["planned"]}'


def settings(made: Mapping[str, Any]) -> str:
  """Hyperparameters, and the lowest and highest where models differ."""
  values = _values({**made['hyperparameters'], **made['chosen']})
  return ', '.join(x for x in (values, _fixed(made)) if x)


def _values(ranges: Mapping[str, Sequence[float]]) -> str:
  known = _WORDS['setting']
  order = [*known, *ranges]
  return ', '.join(
    f'{known.get(x, x)} {text_range(ranges[x])}'
    for x in sorted(ranges, key=order.index)
  )


def _fixed(made) -> str:
  """The optimizer and other settings of all models of a network."""
  given = made['settings']
  return ', '.join(
    str(given[x]) if x == 'optimizer' else f'{_WORDS["setting"][x]} {given[x]}'
    for x in _SETTINGS
    if given.get(x) is not None
  )


def trials(made: Mapping[str, Any]) -> str:
  """How many settings were tried, and how often each was chosen."""
  tried = made['trials']['tried']
  if tried < 2:
    return ''
  chosen = made['trials']['chosen']
  counts = ', '.join(f'{name} ({n}x)' for name, n in chosen.items())
  return f'{tried} tried; chosen: {counts}' if counts else f'{tried} tried'


def differs(made: Mapping[str, Any]) -> str:
  """'training.epochs = 3, seeds = 2'; '' if nothing differs."""
  return ', '.join(_changes(made))


def _changes(made) -> list[str]:
  return [f'{name} = {_value(x)}' for name, x in made['differs'].items()]


def _value(value) -> str:
  if isinstance(value, list | tuple):
    return ','.join(map(_value, value)) or 'none'
  return str(value).lower() if isinstance(value, bool) else str(value)


def text_range(values: Sequence[float]) -> str:
  """'.001', or '.0005 to .003' where the lowest is not the highest."""
  low, high = (f'{x:.3g}' for x in values)
  return low if low == high else f'{low} to {high}'
