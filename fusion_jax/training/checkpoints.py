"""Trained models on disk, through Orbax.

A checkpoint is host arrays: it names no device, and loads on any number of
them.
"""

import dataclasses
import os
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from fusion_jax.core import errors
from fusion_jax.training import neural


def save(
  directory: str | os.PathLike,
  fitted: neural.FittedNeural,
  *,
  extra: dict[str, Any],
  arrays: dict[str, np.ndarray],
) -> None:
  """Writes a model and what belongs to it.

  Args:
    directory: a new folder; Orbax fills it and renames it into place.
    fitted: the model.
    extra: JSON-ready facts, such as the resolved configuration.
    arrays: numeric arrays, such as the fitted preprocessing.
  """
  facts = {
    f.name: getattr(fitted, f.name)
    for f in dataclasses.fields(fitted)
    if f.name != 'params'
  }
  facts['history'] = [list(x) for x in fitted.history]
  with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
    checkpointer.save(
      os.path.abspath(directory),
      ocp.args.Composite(
        params=ocp.args.StandardSave(fitted.params),
        arrays=ocp.args.StandardSave({'_': np.zeros(1), **arrays}),
        facts=ocp.args.JsonSave({'fitted': facts, 'extra': extra}),
      ),
    )


def load(
  directory: str | os.PathLike,
) -> tuple[neural.FittedNeural, dict[str, Any], dict[str, np.ndarray]]:
  """Reads what `save` wrote: the model, `extra` and `arrays`.

  Raises:
    UserError: if there is no checkpoint in `directory`.
  """
  path = os.path.abspath(directory)
  if not os.path.isdir(path):
    raise errors.UserError(f"No saved model at '{path}'.")
  with ocp.Checkpointer(ocp.CompositeCheckpointHandler()) as checkpointer:
    restored = checkpointer.restore(
      path,
      ocp.args.Composite(
        params=ocp.args.StandardRestore(),
        arrays=ocp.args.StandardRestore(),
        facts=ocp.args.JsonRestore(),
      ),
    )
  facts = dict(restored.facts['fitted'])
  facts['history'] = tuple(tuple(x) for x in facts['history'])
  fitted = neural.FittedNeural(
    params=jax.tree.map(np.asarray, restored.params), **facts
  )
  arrays = {k: np.asarray(v) for k, v in restored.arrays.items() if k != '_'}
  return fitted, restored.facts['extra'], arrays
