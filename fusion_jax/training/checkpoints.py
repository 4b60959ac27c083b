"""Trained models on disk, through Orbax.

A checkpoint is host arrays: it names no device, and loads on any number of
them.
"""

import dataclasses
import json
import os
import pathlib
from typing import Any

import jax
import numpy as np
from orbax.checkpoint import v1 as ocp

from fusion_jax.core import errors
from fusion_jax.training import neural

_FACTS = 'facts.json'
_TREE = 'tree'
# Beside the collections of a model, none of which is called so.
_ARRAYS = 'arrays'


def save(
  directory: str | os.PathLike,
  fitted: neural.FittedNeural,
  *,
  extra: dict[str, Any],
  arrays: dict[str, np.ndarray],
) -> None:
  """Writes a model and what belongs to it.

  Args:
    directory: a new folder.
    fitted: the model.
    extra: JSON-ready facts, such as the resolved configuration.
    arrays: by name, such as the fitted preprocessing; arrays of text go into
      the facts, since Orbax stores numbers only.
  """
  path = pathlib.Path(directory).absolute()
  path.mkdir(parents=True)
  facts = {
    f.name: getattr(fitted, f.name)
    for f in dataclasses.fields(fitted)
    if f.name not in ('params', 'collections')
  }
  arrays = {k: np.asarray(v) for k, v in arrays.items()}
  numbers = {k: v for k, v in arrays.items() if v.dtype.kind in 'biuf'}
  texts = {k: v.tolist() for k, v in arrays.items() if k not in numbers}
  # Orbax refuses arrays without elements: their shapes are kept beside them.
  shapes = {k: [list(v.shape), v.dtype.str] for k, v in numbers.items()}
  tree = {
    **fitted.variables,
    _ARRAYS: {
      '_': np.zeros(1),  # Orbax refuses a tree without leaves.
      **{k: v for k, v in numbers.items() if v.size},
    },
  }
  ocp.save(path / _TREE, tree)
  content = {'fitted': facts, 'extra': extra, 'texts': texts, 'shapes': shapes}
  (path / _FACTS).write_text(json.dumps(content, indent=1), encoding='utf-8')


def load(
  directory: str | os.PathLike,
) -> tuple[neural.FittedNeural, dict[str, Any], dict[str, np.ndarray]]:
  """Reads what `save` wrote: the model, `extra` and `arrays`.

  Raises:
    UserError: if there is no whole checkpoint in `directory`.
  """
  path = pathlib.Path(directory).absolute()
  if not (path / _FACTS).is_file() or not (path / _TREE).is_dir():
    raise errors.UserError(f"No saved model at '{path}'.")
  content = json.loads((path / _FACTS).read_text(encoding='utf-8'))
  tree = ocp.load(path / _TREE)
  facts = content['fitted']
  facts['history'] = tuple(tuple(x) for x in facts['history'])
  facts['watched'] = {
    m: tuple(tuple(x) for x in rows)
    for m, rows in facts.get('watched', {}).items()
  }
  stored = tree.pop(_ARRAYS)
  tree = jax.tree.map(np.asarray, tree)
  fitted = neural.FittedNeural(
    params=tree.pop('params'), collections=tree, **facts
  )
  arrays = {
    k: np.asarray(stored[k]) if k in stored else np.zeros(*shape)
    for k, shape in content['shapes'].items()
  }
  arrays |= {k: np.array(v, str) for k, v in content['texts'].items()}
  return fitted, content['extra'], arrays
