"""A cohort whose image says what the record says, and something of its own.

Two latents: the record and the image's first channel show one, the second
channel the other. The label needs both. A model of the image alone must read
both; one that has the record as well gains most from the second.
"""

import csv
import math
import pathlib

import numpy as np
from PIL import Image

from fusion_jax.ablation import changes
from fusion_jax.core import errors
from fusion_jax.data import render, worlds

DESCRIPTOR, LATENT = 'cohort.toml', 'own.csv'
# Coefficients of both latents in the label's probit model.
SHARED, OWN, OFFSET = 2.0, 2.0, -0.5
_OF_PATIENT = 0.5
_STREAM = 3
_STUDIES_OF_PATIENT = (0.5, 0.27, 0.14, 0.09)


def write(
  folder: pathlib.Path, *, n: int, size: int, seed: int, shuffled: bool
) -> pathlib.Path:
  """Writes the cohort unless it is there; `own.csv` holds the second latent.

  Args:
    folder: of cohort.toml.
    n: number of studies.
    size: pixels a side.
    seed: of everything random.
    shuffled: whether records are exchanged among patients: all else is the
      same, but they say nothing.

  Returns:
    `folder`.

  Raises:
    UserError: if it cannot be written.
  """
  # Written last, so it says that the rest is complete.
  if (folder / DESCRIPTOR).is_file():
    return folder
  try:
    (folder / 'images').mkdir(parents=True, exist_ok=True)
    _write(folder, n, size, seed, shuffled)
  except OSError as e:
    raise errors.UserError(
      f"The cohort '{folder}' cannot be written: {e.strerror}."
    ) from None
  return folder


def own_latent(folder: pathlib.Path) -> dict[str, float]:
  """By study, the latent that only the image shows."""
  with open(folder / LATENT, encoding='utf-8', newline='') as f:
    return {row['study']: float(row['own']) for row in csv.DictReader(f)}


def _write(folder, n, size, seed, shuffled):
  def stream(purpose):
    return np.random.default_rng([_STREAM, seed, purpose])

  rng = stream(0)
  count = rng.choice(4, n, p=_STUDIES_OF_PATIENT) + 1
  patient = np.repeat(np.arange(n), count)[:n]
  patients = int(patient[-1]) + 1
  shared, own = (
    math.sqrt(_OF_PATIENT) * rng.standard_normal(patients)[patient]
    + math.sqrt(1 - _OF_PATIENT) * rng.standard_normal(n)
    for _ in range(2)
  )
  noise = rng.standard_normal(n)
  label = SHARED * shared + OWN * own + OFFSET + noise > 0
  record = worlds.make_record(
    z=shared,
    patient=patient,
    polarity=False,
    informative=False,
    absent=np.zeros(n, bool),
    rng=stream(1),
  )
  site = np.zeros(patients, int)[patient]
  channels = [
    render.render(
      z=z, patient=patient, site=site, size=size, polarity=False, rng=stream(k)
    )[..., 0]
    for k, z in ((2, shared), (3, own))
  ]
  channels.append(np.rint(np.mean(channels, axis=0)).astype(np.uint8))
  pixels = np.stack(channels, axis=-1)  # (n, h, w, 3)
  donor = np.arange(n)
  if shuffled:
    donor = changes.derangement(patient.astype(str), stream(4))
  study = [f'S{i + 1:05d}' for i in range(n)]
  for name, x in zip(study, pixels, strict=True):
    Image.fromarray(x).save(folder / 'images' / f'{name}.png')
  features = [*worlds.NUMERIC_NAMES, *worlds.CATEGORICAL_NAMES]
  rows = [
    [
      study[i],
      f'P{patient[i] + 1:05d}',
      int(label[i]),
      *('' if math.isnan(x) else repr(float(x)) for x in record.numeric[k]),
      *('' if x is None else x for x in record.categorical[k]),
    ]
    for i, k in enumerate(donor)
  ]
  _table(folder / 'table.csv', ['study', 'patient', 'y', *features], rows)
  latent = [[s, repr(float(x))] for s, x in zip(study, own, strict=True)]
  _table(folder / LATENT, ['study', 'own'], latent)

  def quoted(names):
    return '[' + ', '.join(f'"{x}"' for x in names) + ']'

  lines = [
    'version = 1',
    f'name = "{"shuffled" if shuffled else "shared"}"',
    'task = "binary"',
    'table = "table.csv"',
    'study = "study"',
    'patient = "patient"',
    'label = "y"',
    'images = "images/{study}.png"',
    f'image_size = {size}',
    'orientation = "free"',
    f'numeric = {quoted(worlds.NUMERIC_NAMES)}',
    f'categorical = {quoted(worlds.CATEGORICAL_NAMES)}',
    'licence = "Apache-2.0"',
    'notes = ["Generated data: nothing in it comes from a person."]',
  ]
  (folder / DESCRIPTOR).write_text('\n'.join(lines) + '\n', encoding='utf-8')


def _table(path, header, rows):
  with open(path, 'w', encoding='utf-8', newline='') as f:
    writer = csv.writer(f, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(rows)
