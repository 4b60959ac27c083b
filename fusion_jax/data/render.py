"""Pictures of the synthetic worlds: a body section with a lesion to read."""

import numpy as np

_CHUNK = 256
_WAVES = 5
_NODULES = 2
# Brightness scale and offset that each site's scanner adds.
_SITE_GAIN = (1.0, 0.94, 1.06)
_SITE_OFFSET = (0.0, 0.02, -0.02)
_NOISE = 0.03
# Latents beyond this many standard deviations look alike.
_REACH = 2.5


def attributes(
  z: np.ndarray, *, polarity: bool
) -> tuple[np.ndarray, np.ndarray]:
  """(n,) contrast and radius of the lesions that (n,) latents `z` give.

  Graded lesions grow in contrast and size with z. With `polarity` they are
  bright where z is positive and dark where it is negative, of one size.
  """
  if polarity:
    return np.where(z > 0, 0.36, -0.36), np.full(len(z), 0.34)
  u = np.clip(z, -_REACH, _REACH) / _REACH
  return 0.34 + 0.22 * u, 0.26 + 0.12 * u


def render(
  *,
  z: np.ndarray,
  patient: np.ndarray,
  site: np.ndarray,
  size: int,
  polarity: bool,
  rng: np.random.Generator,
) -> np.ndarray:
  """(n, size, size, 1) uint8 images of n studies.

  An outline, two darker fields, a smooth texture and the lesion's place belong
  to the patient; a small shift, one or two faint nodules of fixed looks and
  noise to the study; gain and offset to the site. Only the lesion's contrast
  and size depend on z, and it lies well inside the picture.

  Args:
    z: (n,) image latents, standard normal.
    patient: (n,) int numbers from 0.
    site: (n,) int numbers of three sites.
    size: pixels a side.
    polarity: see `attributes`.
    rng: used up in a fixed order.
  """
  n, patients = len(z), int(patient.max()) + 1

  def per_patient(low, high, *shape):
    return rng.uniform(low, high, (patients, *shape))[patient]

  def per_study(low, high, *shape):
    return rng.uniform(low, high, (n, *shape))

  contrast, radius = attributes(z, polarity=polarity)
  angle = per_patient(-np.pi, np.pi)
  distance = np.sqrt(per_patient(0.0, 1.0)) * 0.38
  turn = per_patient(0, 2 * np.pi, _WAVES)
  frequency = per_patient(1.0, 4.5, _WAVES)
  parts = {
    'shift': per_study(-0.05, 0.05, 2),
    'axes': per_patient(0.72, 0.9, 2),
    'tilt': per_patient(-0.3, 0.3),
    'level': per_patient(0.36, 0.44),
    'field': per_patient(0.28, 0.4, 2),
    'depth': per_patient(0.04, 0.08),
    'wave': np.stack(
      [frequency * np.cos(turn), frequency * np.sin(turn)], axis=-1
    ),
    'phase': per_patient(0, 2 * np.pi, _WAVES),
    'strength': per_patient(0.0, 0.025, _WAVES),
    'place': np.stack(
      [distance * np.cos(angle), distance * np.sin(angle)], axis=-1
    )
    + per_study(-0.06, 0.06, 2),
    'contrast': contrast,
    'radius': radius,
    'nodule': per_study(-0.5, 0.5, _NODULES, 2),
    'shown': per_study(0.0, 1.0, _NODULES) < 0.5,
    'gain': np.array(_SITE_GAIN)[site],
    'offset': np.array(_SITE_OFFSET)[site],
  }
  axis = ((np.arange(size) + 0.5) / size * 2 - 1).astype(np.float32)
  out = np.empty((n, size, size, 1), np.uint8)
  for start in range(0, n, _CHUNK):
    rows = slice(start, min(start + _CHUNK, n))
    p = {
      k: v[rows].astype(np.float32)[..., None, None] for k, v in parts.items()
    }
    x = _draw(p, axis)
    x += rng.standard_normal(x.shape, dtype=np.float32) * _NOISE
    x = x * p['gain'] + p['offset']
    out[rows, :, :, 0] = np.clip(np.rint(x * 255), 0, 255)
  return out


def _draw(p: dict[str, np.ndarray], axis: np.ndarray) -> np.ndarray:
  """(b, h, w) brightness; parts are (b, ..., 1, 1)."""
  y = axis[None, :, None] - p['shift'][:, 0]
  x = axis[None, None, :] - p['shift'][:, 1]
  along = x * np.cos(p['tilt']) + y * np.sin(p['tilt'])
  across = y * np.cos(p['tilt']) - x * np.sin(p['tilt'])
  reach = np.hypot(along / p['axes'][:, 0], across / p['axes'][:, 1])
  body = _edge(reach, 1.0, 14.0)
  out = p['level'] * np.ones_like(along)
  for side, width in ((-1, p['field'][:, 0]), (1, p['field'][:, 1])):
    field = np.hypot((along - side * 0.4) / width, across / 0.55)
    out = out - p['depth'] * _edge(field, 1.0, 6.0)
  for k in range(_WAVES):
    wave = y * p['wave'][:, k, 0] + x * p['wave'][:, k, 1] + p['phase'][:, k]
    out += p['strength'][:, k] * np.sin(wave)
  for k in range(_NODULES):
    r = np.hypot(y - p['nodule'][:, k, 0], x - p['nodule'][:, k, 1])
    out += 0.1 * p['shown'][:, k] * _edge(r / 0.09, 1.0, 5.0)
  r = np.hypot(y - p['place'][:, 0], x - p['place'][:, 1]) / p['radius']
  out += p['contrast'] * _edge(r, 1.0, 5.0)
  return out * body + 0.04 * (1 - body)


def _edge(r: np.ndarray, at: float, sharpness: float) -> np.ndarray:
  """1 inside r < at, 0 outside, with a soft edge."""
  return 0.5 - 0.5 * np.tanh(0.5 * sharpness * (r - at))
