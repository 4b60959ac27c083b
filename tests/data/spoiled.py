"""Studies of which everything in one modality is replaced, by its kind."""

import dataclasses

import numpy as np

from fusion_jax.data import cohort as cohorts
from fusion_jax.data import kind as kinds
from fusion_jax.data.kinds import image, series, table, vector, volume


def _image(data, at, rng):
  images, mask = data.images.copy(), data.mask.copy()
  images[at] = rng.integers(0, 256, images[at].shape)
  mask[at[::3]] = False
  return dataclasses.replace(data, images=images, mask=mask)


def _volume(data, at, rng):
  volumes, mask = data.volumes.copy(), data.mask.copy()
  volumes[at] = rng.integers(-30_000, 30_000, volumes[at].shape)
  mask[at[::3]] = False
  return dataclasses.replace(data, volumes=volumes, mask=mask)


def _table(data, at, rng):
  numeric, categorical = data.numeric.copy(), data.categorical.copy()
  numeric[at] = 1e6 * rng.normal(size=numeric[at].shape)
  categorical[at] = 'unseen'
  numeric[at[::3]], categorical[at[::3]] = np.nan, None
  return dataclasses.replace(data, numeric=numeric, categorical=categorical)


def _series(data, at, rng):
  """Other rows, many more, with codes that come first and that are new."""
  study = np.repeat(np.arange(len(data)), data.stop - data.start)
  keep = ~np.isin(study, at)
  # Rows of a study that has no more are gone; the first third has none.
  fresh = np.repeat(at[len(at) // 3 :], 9)
  codes = ('a new code', *data.codes)
  return series.Data.of_rows(
    np.concatenate([study[keep], fresh]),
    np.concatenate([data.time[keep], -rng.uniform(1e-3, 900, len(fresh))]),
    np.concatenate(
      [data.code[keep] + 1, rng.integers(0, len(codes), len(fresh))]
    ),
    np.concatenate([data.value[keep], 1e5 * rng.normal(size=len(fresh))]),
    n=len(data),
    codes=codes,
    length=data.length,
  )


def _vector(data, at, rng):
  values = data.values.copy()
  values[at] = 1e4 * rng.normal(size=values[at].shape)
  values[at[::3]] = np.nan
  return dataclasses.replace(data, values=values)


_CHANGES = {
  image.NAME: _image,
  volume.NAME: _volume,
  table.NAME: _table,
  series.NAME: _series,
  vector.NAME: _vector,
}


def changed(
  cohort: cohorts.Cohort, modality: str, at: np.ndarray, *, seed: int = 7
) -> cohorts.Cohort:
  """`cohort` whose studies `at` have something else of a modality, or nothing.

  Of a kind that is not known here their data are noise.
  """
  shown = cohort.modalities[modality]
  rng = np.random.default_rng(seed)
  at = np.asarray(at)
  if shown.kind in _CHANGES:
    data = _CHANGES[shown.kind](shown.data, at, rng)
    other = dataclasses.replace(
      shown, data=data, present=shown.present & data.present[shown.rows]
    )
  else:
    kind, everyone = kinds.of(shown), np.arange(len(cohort))
    noise = kind.noise(shown, at, everyone, rng)
    rows = shown.rows.copy()
    rows[at] = len(shown.data) + np.arange(len(at))
    other = dataclasses.replace(
      shown, data=kind.joined([shown.data, noise]), rows=rows
    )
  return dataclasses.replace(
    cohort, modalities={**cohort.modalities, modality: other}
  )
