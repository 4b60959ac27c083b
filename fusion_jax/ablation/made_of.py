"""What every arm was made of and trained with, for summary.json."""

from collections.abc import Iterable, Mapping
from typing import Any

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import learners, views
from fusion_jax.ablation import plan as plan_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import config as core_config

# A summary's words for what an arm sees of an image.
_VIEWS = {views.RAW: 'images', views.REDUCED: 'pixels'}
_PREDICTIONS = 'predictions'
# Settings that say where data and devices are, not what a model is.
_PLACES = ('cohort.name', 'cohort.data_root', 'cohort.cache_dir')
_SHARED = ('cohort', 'splits', 'preprocess', 'seeds', 'trials', 'seed')


def of_arms(
  config: config_lib.ExperimentConfig,
  models: Mapping[str, Any],
  store: store_lib.Store,
  arms: Iterable[str],
) -> dict[str, dict[str, Any]]:
  """What each arm is made of, JSON-ready; docs/summary.md lists the keys.

  Args:
    config: of the run that trained them.
    models: what its models.json holds.
    store: its folder; what a node's record lacks, as it was written by an
      earlier version or is gone, is left out.
    arms: those of the table.
  """
  arms = tuple(arms)
  return {arm: _of_arm(config, models, store, arm, arms) for arm in arms}


def _of_arm(config, models, store, arm, listed) -> dict[str, Any]:
  own: arm_lib.Arm = config.known_arms[arm]
  cls = learners.of(own)
  entries = models['arms'].get(arm, ())
  records = [store.record(x['key']) for x in entries if store.has(x['key'])]
  result: dict[str, Any] = {
    'summary': own.summary,
    'strategy': own.strategy,
    'type': own.type,
    'learner': own.learner,
    'inputs': _inputs(config, own, models.get('shapes', {})),
    'combiner': own.combiner or None,
    'rule': own.rule or None,
    'exchanges': {str(k): x for k, x in sorted(own.exchanges.items())},
    'stands_on': list(own.upstream),
    # Those of the table say themselves what they are made of.
    'upstream': {
      other: _of_arm(config, models, store, other, listed)
      for other in own.upstream
      if other not in listed
    },
    'models': len(entries),
    'trials': {
      'tried': plan_lib.trials_of(config, own),
      'chosen': _counts(x['trial'] for x in entries),
    },
    'hyperparameters': _ranges(r.get('hyper') or {} for r in records),
    'chosen': _ranges(m for r in records for m in r.get('chosen') or ()),
    'inner_folds': max((r.get('inner_folds', 0) for r in records), default=0),
    'epochs': None,
    'settings': {},
    'differs': differs(config, arm),
  }
  if cls.encodes and cls.learns:
    settings = core_config.to_dict(config.settings_of(own))
    result['epochs'] = {
      'planned': max(
        (x for r in records for x in r.get('epochs') or ()),
        default=settings['epochs'],
      ),
      'run': _range(
        len(h) for r in records for h in r.get('history') or () if h
      ),
      'kept': _range(x for r in records for x in r.get('best_epoch') or ()),
    }
    del settings['epochs']
    result['settings'] = {
      'optimizer': 'AdamW',
      **{
        k: v for k, v in settings.items() if k not in result['hyperparameters']
      },
    }
  return result


def _inputs(config, own, shapes) -> list[dict[str, Any]]:
  """One entry per modality, in the order in which the arm names them."""
  result = []
  for modality, x in own.inputs.items():
    entry: dict[str, Any] = {
      'modality': modality,
      'kind': x.kind,
      'encoder': x.encoder or None,
      'view': x.view,
      'image_size': None,
    }
    if x.of:
      entry['of'] = x.of
    if x.view == views.LOGITS:
      entry['view'] = _PREDICTIONS
    elif x.kind == 'image':
      entry['view'] = _VIEWS.get(x.view, x.view)
      entry['image_size'] = shapes.get(modality)
      if x.view == views.REDUCED:
        entry['components'] = config.preprocess.pixel_components
        entry['histogram_bins'] = config.preprocess.histogram_bins
    elif x.view == views.RAW:
      entry['view'] = learners.of(own).record
    result.append(entry)
  return result


def differs(config: config_lib.ExperimentConfig, arm: str) -> dict[str, Any]:
  """By dotted name, the settings of an arm that are not the default ones.

  Those that decide what is learnt: not the names of folders, devices, or what
  is done with finished models. An arm that is defined as text has its
  definition among them, and the settings that it replaces.
  """
  own = config.known_arms[arm]
  group = learners.of(own).group
  here = core_config.to_dict(config)
  if group:
    here[group] = core_config.to_dict(config.settings_of(own))
  usual = _flat(core_config.to_dict(config_lib.ExperimentConfig()))
  rooms = (*_SHARED, group)
  found = {
    name: value
    for name, value in _flat(here).items()
    if name.split('.')[0] in rooms
    and name not in _PLACES
    and (name not in usual or usual[name] != value)
  }
  if arm in config.arms:
    found[f'arms.{arm}'] = config.arms[arm]
  return found


def _flat(tree: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
  result = {}
  for name, value in tree.items():
    if isinstance(value, Mapping):
      result.update(_flat(value, f'{prefix}{name}.'))
    else:
      result[prefix + name] = value
  return result


def _range(values: Iterable[float]) -> list[float] | None:
  """The lowest and the highest; None if there is none."""
  values = list(values)
  return [min(values), max(values)] if values else None


def _ranges(models: Iterable[Mapping[str, Any]]) -> dict[str, list[float]]:
  """By name, the lowest and the highest number of all models."""
  result: dict[str, list[float]] = {}
  for model in models:
    for name, value in model.items():
      values = value if isinstance(value, list | tuple) else [value]
      result.setdefault(name, []).extend(values)
  return {name: _range(values) for name, values in result.items() if values}


def _counts(trials: Iterable[int]) -> dict[str, int]:
  result: dict[str, int] = {}
  for trial in sorted(trials):
    result[str(trial)] = result.get(str(trial), 0) + 1
  return result
