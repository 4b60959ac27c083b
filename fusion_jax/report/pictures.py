"""Sections of classes, scores, changed calls and losses by epoch."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report import beside, pictures_time, sections, tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import histograms, losses, matrices

TRAINING = 'training'
_KEY = pictures_time.KEY
_WHOSE = 'of the arm of the gain and the best single modality'
_ONCE = (
  'A study that several models tested (seeds, repeats) counts once, for the '
  'mean over them.'
)
_MATRIX = (
  'Rows are true classes, columns the class of the highest score: test '
  'studies, and below them the share of the row, which the colour follows. '
  f'Frames mark calls that are right. {_ONCE}'
)
_SCORES = (
  'Shares of the test studies with and without the event in bins of predicted '
  'probability; each outline adds up to 1. The less they overlap, the better '
  f'the outcomes are told apart. {_ONCE}'
)
_LOSSES = (
  'One panel an arm, each with an axis of its own; at most '
  f'{losses.MOST_MODELS} models of an arm. Solid: validation loss, of the '
  'averaged parameters where they are averaged; dashed: training loss, mean '
  'over the steps of an epoch; the dot: the epoch whose parameters were kept. '
  'Validation that rises while training falls is overfitting, losses that '
  'still fall at the end ask for more epochs.'
)
# Pencina et al. and their critics are cited where the numbers stand.
_NET = (
  'Net reclassification (Pencina et al., 2008, Statistics in Medicine '
  '27:157-172) adds up what is gained among those with and those without the '
  'event. It is no measure of value: a useless marker in a miscalibrated model '
  'can have it (Kerr et al., 2014, Epidemiology 25:114-121; Hilden and Gerds, '
  '2014, Statistics in Medicine 33:3405-3414). Look at the counts; no verdict '
  'here rests on it.'
)
_OUTCOME = tables.Column('outcome', word=True, meaning='of the study')
_OUTCOMES = (('event', 'with the event'), ('no_event', 'without'))


def confusion(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> sections.Section:
  """Which classes are taken for which, and each class by itself."""
  by_arm = pictures_time.of_arms(curves, 'confusion')
  if not by_arm:
    return sections.Section('', '')
  names = pictures_time.file_names(by_arm)
  return sections.Section(
    'confusion',
    'Which class is taken for which',
    brief=_WHOSE,
    figures=[
      sections.drawn(
        f'confusion_{names[arm]}',
        f'Confusion matrix of {arm}',
        _MATRIX,
        matrices.draw(x['counts'], x['shares'], x['classes']),
        details=_rows_in_words(x),
      )
      for arm, x in by_arm.items()
    ],
    tables=[_by_class(summary, by_arm)],
    shown=len(by_arm),
  )


def scores(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> sections.Section:
  """Histograms of scores by outcome."""
  by_arm = pictures_time.of_arms(curves, 'scores')
  if not by_arm:
    return sections.Section('', '')
  names = pictures_time.file_names(by_arm)
  figures = []
  for label in next(iter(by_arm.values())):
    top = histograms.highest([x[label] for x in by_arm.values()])
    outcome = label or ''.join(summary['task']['names'][:1])
    for arm, of_arm in by_arm.items():
      entry = of_arm[label]
      name = f'scores_{beside.slug(label)}_' if label else 'scores_'
      figures.append(
        sections.drawn(
          f'{name}{names[arm]}',
          f'Scores of {arm} by {outcome}',
          _SCORES,
          histograms.draw(
            entry, x_name=f'predicted probability of {outcome}', top=top or 1
          ),
          details=' '.join(
            f'{words.capitalize()}: {matrices.count(sum(entry[key]))} studies.'
            for key, words in _OUTCOMES
          ),
        )
      )
  return sections.Section(
    'scores',
    'Scores by outcome',
    brief=_WHOSE,
    figures=figures,
  )


def reclassification(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> sections.Section:
  """Whom the arm of the gain calls otherwise than the best single modality."""
  moved = (curves.get(_KEY) or {}).get('reclassification')
  if not moved:
    return sections.Section('', '')
  arm, single = moved['arm'], moved['single']
  factor = summary['evaluation']['factor']['value']
  event = moved['counts']['event']
  return sections.Section(
    'reclassification',
    f'Whom {arm} calls otherwise than {single}',
    brief=f'of {matrices.about(event["studies"])} studies with the event '
    f'{matrices.about(event["up"])} are called by {arm} alone, '
    f'{matrices.about(event["down"])} by {single} alone',
    lead=[
      "Each model calls at its own threshold, which validation chose (Youden's "
      f'index). {_ONCE}',
      *(f'At .5 instead: {x}.' for x in moved['fallback']),
      _NET,
    ],
    tables=[_moves(moved), _net(moved, factor)],
  )


def training(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> sections.Section:
  """Losses by epoch of every arm that is trained by epochs."""
  by_arm = _losses(summary, curves)
  if not by_arm:
    return sections.Section('', '')
  return sections.Section(
    'losses',
    'Losses by epoch',
    brief='of every arm that is trained by epochs, with the epoch kept',
    figures=[
      sections.drawn(
        'losses',
        'Training and validation loss by epoch',
        _LOSSES,
        losses.draw(by_arm),
        wide=True,
        details=f'Losses against epochs of {", ".join(by_arm)}.',
      )
    ],
  )


def files(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> list[tables.Table]:
  """Every number of these figures, for files beside the page."""
  arm = tables.Column('arm', word=True)
  built = [
    tables.plain_table(
      'confusion_counts',
      'Test studies by true and called class',
      [
        arm,
        tables.Column('true class', word=True),
        tables.Column('called class', word=True),
        tables.Column('studies'),
        tables.Column('share of true class'),
      ],
      [
        [
          tables.word(a),
          tables.word(true),
          tables.word(called),
          tables.plain(x['counts'][i][j]),
          tables.plain(
            x['shares'][i][j],
            '' if x['shares'][i][j] is not None else 'no study of the class',
          ),
        ]
        for a, x in pictures_time.of_arms(curves, 'confusion').items()
        for i, true in enumerate(x['classes'])
        for j, called in enumerate(x['classes'])
      ],
      printed=False,
    ),
    tables.plain_table(
      'scores',
      'Test studies by score and outcome',
      [
        arm,
        tables.Column('label', word=True),
        *(tables.Column(x) for x in ('from', 'to', 'event', 'no event')),
      ],
      [
        [tables.word(a), tables.word(label), *map(tables.plain, row)]
        for a, of_arm in pictures_time.of_arms(curves, 'scores').items()
        for label, x in of_arm.items()
        for row in zip(
          x['edges'][:-1],
          x['edges'][1:],
          x['event'],
          x['no_event'],
          strict=True,
        )
      ],
      printed=False,
    ),
    tables.plain_table(
      'losses',
      'Losses by epoch',
      [
        arm,
        *(
          tables.Column(x)
          for x in ('repeat', 'fold', 'seed', 'half', 'epoch', *_LOSS, 'kept')
        ),
      ],
      [
        [tables.word(a), *cells]
        for a, models in _losses(summary, curves).items()
        for model in models
        for cells in _epochs(model)
      ],
      printed=False,
    ),
  ]
  return [x for x in built if x]


_LOSS = ('training loss', 'validation loss')


def _losses(summary, curves) -> dict[str, Any]:
  """By arm, those of the table first; none where an arm has that name."""
  kept = curves.get(TRAINING) or {}
  if not all(isinstance(x, list) for x in kept.values()):
    return {}
  order = [*(a for a in summary['arms'] if a in kept), *kept]
  return {a: kept[a] for a in dict.fromkeys(order) if kept[a]}


def _epochs(model) -> list[list[tables.Cell]]:
  place = [
    tables.word('' if model.get(x) is None else model[x])
    for x in ('repeat', 'fold', 'seed', 'half')
  ]
  return [
    [
      *place,
      tables.word(epoch),
      *(
        tables.plain(x, '' if x is not None else 'the loss was not finite')
        for x in both
      ),
      tables.word('kept' if epoch == model['kept'] else ''),
    ]
    for epoch, *both in zip(
      model['epochs'], model['train'], model['valid'], strict=True
    )
  ]


def _rows_in_words(entry) -> str:
  return ' '.join(
    f'Of {matrices.about(row["studies"])} studies of {row["class"]} '
    f'{matrices.about(entry["counts"][i][i])} are called so.'
    for i, row in enumerate(entry['by_class'])
  )


def _by_class(summary, by_arm) -> tables.Table:
  """Each class against the others."""
  return tables.Table(
    'by_class',
    'Each class by itself',
    [
      tables.Column('class', word=True),
      tables.Column('n', meaning='test studies of the class'),
      tables.Column(
        'sensitivity [95%]',
        interval=True,
        meaning='share of these that are called the class',
      ),
      tables.Column(
        'PPV [95%]',
        interval=True,
        meaning='share of those called the class that are of it',
      ),
      tables.Column(
        'AUROC [95%]', interval=True, meaning='of the class against the others'
      ),
    ],
    [
      (
        arm,
        [
          [
            tables.word(row['class']),
            _studies(row['studies']),
            tables.Cell(number=text_lib.number(row['sensitivity'])),
            tables.Cell(number=text_lib.number(row['ppv'])),
            tables.Cell(
              number=text_lib.number(
                summary['arms'][arm]['metrics'].get(f'auroc/{row["class"]}')
              )
            ),
          ]
          for row in x['by_class']
        ],
      )
      for arm, x in by_arm.items()
    ],
    note='Sensitivity and PPV are of all test parts at once, AUROC is the mean '
    'over folds and seeds; each interval by itself, of the patient bootstrap.',
  )


def _moves(moved) -> tables.Table:
  arm, single = moved['arm'], moved['single']
  return tables.plain_table(
    'reclassified',
    'Test studies by outcome and by who calls them',
    [
      _OUTCOME,
      tables.Column('studies'),
      tables.Column(f'up: {arm} alone'),
      tables.Column(f'down: {single} alone'),
      tables.Column('both'),
      tables.Column('neither'),
    ],
    [
      [
        tables.word(words),
        *(
          _studies(moved['counts'][key][name])
          for name in (
            'studies',
            'up',
            'down',
            'called_by_both',
            'called_by_neither',
          )
        ),
      ]
      for key, words in _OUTCOMES
    ],
    note='Up is right with the event and wrong without; down the reverse.',
  )


def _net(moved, factor) -> tables.Table:
  rows = (*_OUTCOMES, ('total', 'sum of both'))
  wider = '' if factor == 1 else f', {factor:g} times as far from the estimate'
  return tables.plain_table(
    'net_reclassification',
    'Net reclassification',
    [
      _OUTCOME,
      tables.Column(
        'net share called rightly [95%]',
        interval=True,
        meaning='newly right less newly wrong, of all with the outcome; '
        'the sum is of two shares and no share itself',
      ),
    ],
    [
      [
        tables.word(words),
        tables.Cell(number=text_lib.number(moved['net'][key]), signed=True),
      ]
      for key, words in rows
    ],
    note=f'Bounds are those of the patient bootstrap{wider}.',
  )


def _studies(value: float) -> tables.Cell:
  """A count that may be a mean; as it is in a file."""
  return tables.Cell(matrices.count(value), value=value)
