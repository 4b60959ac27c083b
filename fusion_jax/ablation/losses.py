"""Training and validation losses of a run's models, epoch by epoch."""

import math
from collections.abc import Mapping
from typing import Any

from fusion_jax.ablation import store as store_lib

# The key of curves.json.
KEY = 'training'


def of_models(
  models: Mapping[str, Any], store: store_lib.Store
) -> dict[str, list[dict[str, Any]]]:
  """By arm that is trained by epochs, one entry per model that counts.

  Also those of upstream arms. The validation loss is that of the averaged
  parameters (`training.average`), the training loss the mean over the epoch's
  steps.

  Args:
    models: what models.json holds.
    store: the run folder. Nodes of versions that kept no losses are left out.

  Returns:
    Entries {repeat, fold, seed, half, epochs, train, valid, kept}: `half`
    where a node has a model for each half of the training part, or several
    members, the number of the model, else None;
    `epochs` from 1 to the last that was run, None for a loss that was not
    finite; `kept` the epoch whose parameters are used. Of networks that were
    watched also `alone` and `gradients`, by modality the validation loss of
    what is predicted from it alone and the mean norm of its encoder's
    gradients.
  """
  result: dict[str, list[dict[str, Any]]] = {}
  for arm, entries in models['arms'].items():
    for entry in entries:
      if not store.has(entry['key']):
        continue
      record = store.record(entry['key'])
      histories = record.get('history') or ()
      for half, history in enumerate(histories):
        if not history:
          continue
        result.setdefault(arm, []).append(
          {
            **{name: entry[name] for name in ('repeat', 'fold', 'seed')},
            'half': half if len(histories) > 1 else None,
            'epochs': list(range(1, len(history) + 1)),
            'train': [_known(train) for train, _ in history],
            'valid': [_known(valid) for _, valid in history],
            'kept': record['best_epoch'][half],
            **_watched(record.get('watched') or (), half),
          }
        )
  return result


def _watched(watched, half) -> dict[str, Any]:
  if half >= len(watched):
    return {}
  return {
    name: {m: [_known(x[k]) for x in rows] for m, rows in watched[half].items()}
    for k, name in enumerate(('alone', 'gradients'))
  }


def _known(loss: float) -> float | None:
  return loss if math.isfinite(loss) else None
