"""Made-up later parts of a summary, and curves, for any summary."""

import copy

import numpy as np

# Keys of a summary that have a section of their own, with its anchor.
SECTIONS = (
  ('subgroups', 'subgroups'),
  ('controls', 'controls'),
  ('missing', 'missing'),
  ('learning_curve', 'learning'),
  ('image_value', 'image_value'),
  ('history', 'history'),
  ('registration', 'registration'),
)
# Keys that a summary need not have.
OPTIONAL = (
  'equalised_odds',
  'tradeoffs',
  *(key for key, _ in SECTIONS),
)


def entry(value, width=0.03, reason=''):
  """{estimate, low, high}; undefined where `value` is None."""
  if value is None:
    return {'estimate': None, 'low': None, 'high': None, 'reason': reason}
  return {'estimate': value, 'low': value - width, 'high': value + width}


def _fusions(summary):
  return [a for a, x in summary['arms'].items() if x['role'] == 'fusion']


def bare(summary):
  """A copy of a summary with no more than it must have."""
  found = copy.deepcopy(summary)
  for key in OPTIONAL:
    found.pop(key, None)
  for comparison in found['comparisons']:
    for key in ('sentence', 'without_factor'):
      comparison.pop(key, None)
  for key in ('estimand', 'estimand_text', 'method', 'adjustment'):
    found['evaluation'].pop(key, None)
  for arm in found['arms'].values():
    arm.pop('calibration', None)
  return found


def rich(summary):
  """A copy of a summary with every optional part a report knows."""
  found = copy.deepcopy(summary)
  metric = found['evaluation']['metric']
  fusions = _fusions(found)
  main = fusions[-1]
  for k, comparison in enumerate(found['comparisons']):
    comparison['sentence'] = (
      f'{comparison["arm"]} is {comparison["verdict"]}: {metric} differs by '
      f'{comparison["difference"]:.3f} from the best single modality.'
    )
    comparison['without_factor'] = {
      'against': comparison['single'],
      'fold_sd': 0.01,
      'delong': {'p': None, 'reason': 'several folds'},
      'corrected_t': {'t': 1.5, 'df': 4, 'p': 0.1 + 0.01 * k},
    }
  for k, part in enumerate(found['arms'].values()):
    part['calibration'] = {
      'ece': entry(0.05 + 0.002 * k, 0.01),
      'ece_debiased': entry(0.04 + 0.002 * k, 0.01),
      'reliability': 0.004,
      'resolution': 0.08,
      'uncertainty': 0.21,
      'recalibrated': {
        method: {
          'brier': entry(0.1, 0.01),
          'log_loss': entry(0.3, 0.02),
          'ece': entry(0.03, 0.01),
        }
        for method in ('temperature', 'platt', 'isotonic')
      },
    }
  found.update(
    question={
      **found['question'],
      'sentence': f'Fusing helps: {main} beats the best single modality.',
    },
    use=use(found, main),
    registration={
      'sha256': '9f' * 32,
      'metric': metric,
      'margin': 0.02,
      'reference': 'best_single',
      'arms': fusions,
      'deviations': ["arm 'late_mean' was not registered"],
    },
    subgroups=subgroups(found),
    equalised_odds=[
      {
        'column': 'sex',
        'arm': arm,
        'tpr_gap': entry(0.06),
        'fpr_gap': entry(0.02),
      }
      for arm in found['arms']
    ],
    controls=controls(found),
    missing=[
      {
        'modality': modality,
        'mechanism': mechanism,
        'rate': rate,
        **_by_arm(found, -0.1 * rate),
      }
      for modality in ('image', 'ehr')
      for mechanism in ('random', 'informative')
      for rate in (0.0, 0.25, 0.5, 0.75, 1.0)
    ],
    learning_curve=[
      {
        'fraction': fraction,
        'patients': int(800 * fraction),
        **_by_arm(found, -0.1 * (1 - fraction)),
      }
      for fraction in (0.125, 0.25, 0.5, 1.0)
    ],
    tradeoffs={
      'metric': metric,
      'arms': {
        arm: {
          'estimate': x['metrics'][metric]['estimate'],
          'parameters': 1000 * 3**k,
          'training_seconds': 2.5 * (k + 1),
          'latency_seconds': 0.001 * (k + 1),
          'front': ['parameters'] if k % 3 == 0 else [],
        }
        for k, (arm, x) in enumerate(found['arms'].items())
      },
    },
    image_value=image_value(found),
    history=[
      *(
        {'arm': arm, 'status': 'finished', 'models': 5, 'reason': ''}
        for arm in found['arms']
      ),
      {
        'arm': 'joint_wide',
        'status': 'failed',
        'models': 2,
        'reason': 'loss is NaN at epoch 3, step 41',
      },
    ],
  )
  found['audits'] = {**found['audits'], **audits()}
  return found


def use(summary, arm):
  """That an arm is to be used."""
  return {
    'advice': 'arm',
    'arm': arm,
    'single': summary['best_single']['arm'],
    'sentence': f'Use {arm}.',
    'margin': 0.02,
    'candidates': [arm],
    'excluded': [{'arm': 'early_raw', 'reason': 'it is miscalibrated'}],
    'parameters': 12345,
    'cost': {'seconds': 3.5},
    'slope': 1.06,
  }


def audits():
  """Two that are quiet, one that alarms, one that was not possible."""
  return {
    'missingness': {
      'metric': 'auroc',
      **entry(0.871, 0.02),
      'chance': 0.5,
      'margin': 0.1,
      'learner': 'trees',
      'features': 14,
      'alarm': True,
      'sentence': 'Which values and modalities are missing, and nothing else, '
      'predicts the label with an AUROC of .871 [.851, .891].',
    },
    'row_order': {
      'metric': 'auroc',
      **entry(0.51, 0.03),
      'chance': 0.5,
      'margin': 0.1,
      'learner': 'elastic_net',
      'features': 1,
      'alarm': False,
      'sentence': 'The row number in the table alone does not predict the '
      'label.',
    },
    'time': {
      'metric': 'auroc',
      **entry(None, reason='the cohort names no index_time'),
      'chance': 0.5,
      'margin': 0.1,
      'learner': '',
      'features': 0,
      'alarm': False,
      'sentence': 'The time was not tried: the cohort names no index_time.',
    },
    'duplicates': {
      'metric': 'share of test studies',
      **entry(0.0, 0.0),
      'chance': 0.0,
      'margin': 0.01,
      'learner': 'perceptual hash',
      'features': 64,
      'alarm': False,
      'sentence': 'No test image is a near duplicate of a training image.',
      # Nothing like this belongs on a page.
      'examples': [['STUDY0001', 'STUDY0002']],
    },
  }


def _by_arm(summary, shift):
  metric = summary['evaluation']['metric']
  arms = {
    arm: entry((x['metrics'][metric]['estimate'] or 0) + shift)
    for arm, x in summary['arms'].items()
  }
  return {
    'arms': arms,
    'gain': {a: entry(0.02 + shift / 5) for a in _fusions(summary)},
  }


def subgroups(summary):
  """Two columns, their intersection, one group that is too small."""
  metric = summary['evaluation']['metric']
  found = []
  for k, group in enumerate(
    (
      {'sex': 'female'},
      {'sex': 'male'},
      {'age': 'below 50'},
      {'age': '50 or more'},
      {'sex': 'female', 'age': '50 or more'},
      {'available': 'all modalities'},
    )
  ):
    found.append(
      {
        'group': group,
        'studies': 300 + 17 * k,
        'patients': 200 + 11 * k,
        'events': 90 + 5 * k,
        'suppressed': None,
        'arms': {
          arm: {
            'metrics': {metric: entry(0.8 + 0.01 * k, 0.04)},
            'gain': entry(0.02 * (k - 2), 0.03)
            if x['role'] == 'fusion'
            else None,
          }
          for arm, x in summary['arms'].items()
        },
      }
    )
  found.append(
    {
      'group': {'sex': 'unknown'},
      'studies': None,
      'patients': None,
      'events': None,
      'suppressed': 'fewer than 10 patients',
      'arms': {},
    }
  )
  return found


def controls(summary):
  """Every condition for every fusion arm."""
  metric = summary['evaluation']['metric']
  losses = {
    'image_permuted': 0.05,
    'ehr_permuted': 0.12,
    'image_noise': 0.06,
    'ehr_noise': 0.13,
    'image_absent': 0.04,
    'ehr_absent': 0.11,
    'emap': 0.004,
    'ensemble': 0.018,
  }
  found = {}
  for arm in _fusions(summary):
    value = summary['arms'][arm]['metrics'][metric]['estimate'] or 0
    found[arm] = {
      'conditions': {
        name: {
          'metrics': {metric: entry(value - loss)},
          'loss': entry(loss, 0.015),
          'folds': 5,
          'studies': 500,
        }
        for name, loss in losses.items()
      },
      'emap': {**entry(0.004, 0.015), 'studies': 500},
      'ensemble': {**entry(0.018, 0.015), 'studies': 500},
      'shapley': {
        'image': entry(0.12),
        'ehr': entry(0.3),
        'both': entry(0.42),
      },
      'fusion': {
        'uses_both': True,
        'interactions': False,
        'beats_ensemble': None,
      },
      'sentence': f'{arm} uses both modalities. Whether a gain is due to '
      'fusion was not fully tested.',
    }
  return found


def curves(summary):
  """Smooth curves of every arm on 101 points, and treating all."""
  x = np.linspace(0, 1, 101)
  found = {}
  for k, arm in enumerate(summary['arms']):
    power = 0.15 + 0.03 * k
    roc, pr = x**power, 1 - 0.6 * x ** (3 - power)
    net = np.maximum(0.35 - 0.45 * x - 0.02 * k, -0.01)
    calibration = x ** (1 + 0.05 * k)
    risk = 0.02 + (0.1 + 0.01 * k) * x**2
    found[arm] = {
      kind: _banded(x, y)
      for kind, y in (
        ('roc', roc),
        ('pr', pr),
        ('calibration', calibration),
        ('risk_coverage', risk),
      )
    }
    found[arm]['decision'] = {
      'threshold': x[:100].tolist(),
      'net_benefit': net[:100].tolist(),
      'low': (net - 0.02)[:100].tolist(),
      'high': (net + 0.02)[:100].tolist(),
    }
    found[arm]['calibration']['y'][0] = None
  all_treated = 0.35 - 0.65 * x[:100] / (1 - x[:100])
  found['treat_all'] = {
    'threshold': x[:100].tolist(),
    'net_benefit': all_treated.tolist(),
  }
  return found


def _banded(x, y):
  return {
    'x': x.tolist(),
    'y': y.tolist(),
    'low': np.clip(y - 0.03, 0, 1).tolist(),
    'high': np.clip(y + 0.03, 0, 1).tolist(),
  }


def image_value(summary):
  """Differences of net benefit by threshold, and for thirds of the risk."""
  threshold = np.linspace(0.01, 0.99, 99)
  gain = 0.03 * np.sin(np.pi * threshold)
  groups = ('lowest third', 'middle third', 'highest third')
  return {
    'threshold': 0.31,
    'arms': {
      arm: {
        'threshold': threshold.tolist(),
        'difference': (gain - 0.002 * k).tolist(),
        'low': (gain - 0.01).tolist(),
        'high': (gain + 0.01).tolist(),
      }
      for k, arm in enumerate(_fusions(summary))
    },
    'for_whom': [
      {
        'group': f'{group} of the risk that the EHR gives',
        'studies': 200,
        'events': 30 * (k + 1),
        'arms': {
          arm: {
            'changed': 0.1 + 0.1 * k,
            'improved': 0.6,
            'net_benefit': entry(0.01, 0.01),
          }
          for arm in _fusions(summary)
        },
      }
      for k, group in enumerate(groups)
    ],
  }
