"""Sections of classes, scores, changed calls and losses by epoch."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report import beside, pictures_time, prose, sections, tables
from fusion_jax.report.figures import histograms, losses, matrices, watched

TRAINING = 'training'
_KEY = pictures_time.KEY
_OUTCOME = tables.Column('outcome', word=True)
_OUTCOMES = (('event', 'with the event'), ('no_event', 'without'))


def confusion(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> sections.Section | None:
  """Which classes are taken for which, and each class by itself."""
  by_arm = pictures_time.of_arms(curves, 'confusion')
  if not by_arm:
    return None
  names = beside.file_names(by_arm)
  return sections.build(
    'confusion',
    figures=[
      sections.drawn(
        'confusion',
        f'confusion_{names[arm]}',
        matrices.draw(x['counts'], x['shares'], x['classes']),
        arm=arm,
        rows=_rows(x),
      )
      for arm, x in by_arm.items()
    ],
    tables=[_by_class(summary, by_arm)],
    shown=len(by_arm),
  )


def scores(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> sections.Section | None:
  """Histograms of scores by outcome."""
  by_arm = pictures_time.of_arms(curves, 'scores')
  if not by_arm:
    return None
  names = beside.file_names(by_arm)
  figures = []
  for label in next(iter(by_arm.values())):
    top = histograms.highest([x[label] for x in by_arm.values()])
    outcome = label or ''.join(summary['task']['names'][:1])
    for arm, of_arm in by_arm.items():
      entry = of_arm[label]
      name = f'scores_{beside.slug(label)}_' if label else 'scores_'
      figures.append(
        sections.drawn(
          'scores',
          f'{name}{names[arm]}',
          histograms.draw(
            entry, x_name=f'predicted probability of {outcome}', top=top or 1
          ),
          arm=arm,
          outcome=outcome,
          **{key: matrices.count(sum(entry[key])) for key, _ in _OUTCOMES},
        )
      )
  return sections.build('scores', figures=figures)


def reclassification(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> sections.Section | None:
  """Whom the arm of the gain calls otherwise than the best single modality."""
  moved = (curves.get(_KEY) or {}).get('reclassification')
  if not moved:
    return None
  factor = summary['evaluation']['factor']['value']
  event = moved['counts']['event']
  return sections.build(
    'reclassification',
    arm=moved['arm'],
    single=moved['single'],
    fallback=moved['fallback'],
    **{k: matrices.about(event[k]) for k in ('studies', 'up', 'down')},
    tables=[_moves(moved), _net(moved, factor)],
  )


def training(
  summary: Mapping[str, Any], curves: Mapping[str, Any]
) -> sections.Section | None:
  """Losses by epoch of every arm that is trained by epochs."""
  by_arm = _losses(summary, curves)
  if not by_arm:
    return None
  # Of a single modality it is the loss itself.
  seen = {
    arm: models[0]
    for arm, models in by_arm.items()
    if len(models[0].get('alone', ())) > 1
  }
  return sections.build(
    'losses',
    figures=[
      sections.drawn(
        'losses',
        'losses',
        losses.draw(by_arm),
        wide=True,
        most=losses.MOST_MODELS,
        arms=by_arm,
      ),
      sections.drawn(
        'losses',
        'modalities_by_epoch',
        watched.draw(seen),
        figure='watched',
        wide=True,
        arms=seen,
      ),
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
        *tables.of_words('true class', 'called class'),
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
  built.append(
    tables.plain_table(
      'modalities_by_epoch',
      'How each modality learns, by epoch',
      [
        arm,
        *(tables.Column(x) for x in ('repeat', 'fold', 'seed', 'half')),
        tables.Column('modality', word=True),
        *(tables.Column(x) for x in ('epoch', *watched.PANELS.values())),
      ],
      [
        [tables.word(a), *cells]
        for a, models in _losses(summary, curves).items()
        for model in models
        for cells in _watched(model)
      ],
      printed=False,
    )
  )
  return [x for x in built if x]


_LOSS = ('training loss', 'validation loss')


def _losses(summary, curves) -> dict[str, Any]:
  """By arm, those of the table first; none where an arm has that name."""
  kept = curves.get(TRAINING) or {}
  if not all(isinstance(x, list) for x in kept.values()):
    return {}
  order = [*(a for a in summary['arms'] if a in kept), *kept]
  return {a: kept[a] for a in dict.fromkeys(order) if kept[a]}


def _place(model) -> list[tables.Cell]:
  return [
    tables.word('' if model.get(x) is None else model[x])
    for x in ('repeat', 'fold', 'seed', 'half')
  ]


def _watched(model) -> list[list[tables.Cell]]:
  return [
    [
      *_place(model),
      tables.word(m),
      tables.word(epoch),
      *(tables.plain(x, '' if x is not None else 'not finite') for x in both),
    ]
    for m in model.get('alone', ())
    for epoch, *both in zip(
      model['epochs'], *(model[x][m] for x in watched.PANELS), strict=True
    )
  ]


def _epochs(model) -> list[list[tables.Cell]]:
  place = _place(model)
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


def _rows(entry) -> list[dict[str, Any]]:
  """Of every class, how many studies it has and how many are called so."""
  return [
    {
      'class': row['class'],
      'studies': matrices.about(row['studies']),
      'right': matrices.about(entry['counts'][i][i]),
    }
    for i, row in enumerate(entry['by_class'])
  ]


def _by_class(summary, by_arm) -> tables.Table:
  """Each class against the others."""
  return tables.Table(
    'by_class',
    'Each class by itself',
    [
      tables.Column('class', word=True),
      tables.Column('n'),
      tables.Column('sensitivity [95%]', interval=True),
      tables.Column('PPV [95%]', interval=True),
      tables.Column('AUROC [95%]', interval=True),
    ],
    [
      (
        arm,
        [
          [
            tables.word(row['class']),
            _studies(row['studies']),
            tables.entry(row['sensitivity']),
            tables.entry(row['ppv']),
            tables.entry(
              summary['arms'][arm]['metrics'].get(f'auroc/{row["class"]}')
            ),
          ]
          for row in x['by_class']
        ],
      )
      for arm, x in by_arm.items()
    ],
    note=prose.passage('sections/confusion', 'note'),
    shown=True,
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
    note=prose.passage('sections/reclassification', 'reclassified'),
    shown=True,
  )


def _net(moved, factor) -> tables.Table:
  rows = (*_OUTCOMES, ('total', 'sum of both'))
  return tables.plain_table(
    'net_reclassification',
    'Net reclassification',
    [
      _OUTCOME,
      tables.Column('net share called rightly [95%]', interval=True),
    ],
    [
      [
        tables.word(words),
        tables.entry(moved['net'][key], signed=True),
      ]
      for key, words in rows
    ],
    note=prose.passage(
      'sections/reclassification', 'net_reclassification', factor=factor
    ),
    shown=True,
  )


def _studies(value: float) -> tables.Cell:
  """A count that may be a mean; as it is in a file."""
  return tables.Cell(matrices.count(value), value=value)
