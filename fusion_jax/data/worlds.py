"""Synthetic worlds: latents, records, labels and the best possible scores.

Every study has an image latent and a record latent, standard normal, half of
their variance the patient's. The label's probit model is known, and so is how
each column of the record comes about: best possible scores are integrals.
"""

import dataclasses

import numpy as np
from scipy import special

SYNERGY = 'synergy'

# Share of cells missing, other than age and sex.
MISSING_RATE = 0.1
# How much less often a severe study lacks a laboratory value (log odds per
# unit of the latent) where missing is informative.
_INFORMATIVE = -1.2


@dataclasses.dataclass(frozen=True)
class Rule:
  """The label: y = 1 where image + ehr + offset + N(0, 1) > 0.

  Attributes:
    image: coefficient of the image latent.
    ehr: coefficient of the record latent.
    offset: sets the prevalence.
    shared: whether both latents are one.
    product: coefficient of the product of the latents' signs (synergy).
  """

  image: float = 0.0
  ehr: float = 0.0
  offset: float = 0.0
  shared: bool = False
  product: float = 0.0


RULES = {
  'complementary': Rule(image=2.4, ehr=2.6, offset=-0.8),
  'redundant': Rule(image=1.3, shared=True, offset=-0.4),
  'synergy': Rule(product=1.9),
  'image_only': Rule(image=1.6, offset=-0.5),
  'ehr_only': Rule(ehr=1.6, offset=-0.5),
  'null': Rule(offset=-0.4),
}


@dataclasses.dataclass(frozen=True)
class Measure:
  """A numeric column: a function of x = signal q + nuisance u + noise.

  The noise makes x of variance 1. `kind` is how x becomes a value: 'normal'
  (centre + spread x), 'log' (exp of that) or 'ceiling' (100 less exp of that).
  """

  name: str
  signal: float
  nuisance: float
  kind: str
  centre: float
  spread: float
  decimals: int

  @property
  def noise(self) -> float:
    return float(np.sqrt(1 - self.signal**2 - self.nuisance**2))

  def value(self, x: np.ndarray) -> np.ndarray:
    x = self.centre + self.spread * x
    if self.kind == 'log':
      x = np.exp(x)
    elif self.kind == 'ceiling':
      x = 100 - np.exp(x)
    return np.round(x, self.decimals)


@dataclasses.dataclass(frozen=True)
class Grade:
  """An ordered categorical column: where signal q + nuisance u + N(0, 1) lies.

  `levels` has one name more than there are `cuts`.
  """

  name: str
  signal: float
  nuisance: float
  cuts: tuple[float, ...]
  levels: tuple[str, ...]

  def log_probability(self, q: np.ndarray, u: np.ndarray) -> np.ndarray:
    """(levels, ...) log P(level | q, u)."""
    at = self.signal * q + self.nuisance * u
    below = [special.ndtr(c - at) for c in self.cuts]
    below = np.stack([np.zeros_like(at), *below, np.ones_like(at)])
    return np.log(np.maximum(np.diff(below, axis=0), 1e-300))


MEASURES = (
  Measure('crp', 0.8, 0.0, 'log', 2.6, 1.1, 1),
  Measure('leukocytes', 0.65, 0.4, 'log', 2.15, 0.35, 1),
  Measure('respiratory_rate', 0.75, 0.3, 'log', 2.85, 0.2, 0),
  Measure('oxygen_saturation', 0.75, -0.2, 'ceiling', 1.3, 0.55, 1),
  Measure('haemoglobin', -0.4, 0.5, 'normal', 13.0, 1.6, 1),
  Measure('creatinine', 0.0, 0.6, 'log', -0.05, 0.35, 2),
  Measure('systolic_pressure', 0.0, -0.6, 'normal', 128.0, 17.0, 0),
  Measure('bmi', 0.0, 0.0, 'log', 3.27, 0.18, 1),
)
BOOLEAN = ('false', 'true')
GRADES = (
  Grade('fever', 1.2, 0.0, (0.3,), BOOLEAN),
  Grade('confusion', 0.8, 0.4, (0.9,), BOOLEAN),
  Grade(
    'triage', 1.1, 0.0, (-1.4, 0.0, 1.3), ('green', 'yellow', 'orange', 'red')
  ),
)
# Columns of the patient or of chance, of no use in any world.
_ARRIVAL = ('walk-in', 'ambulance', 'referral')
NUMERIC_NAMES = ('age', *(m.name for m in MEASURES))
CATEGORICAL_NAMES = (
  'sex',
  *(g.name for g in GRADES),
  'smoker',
  'hypertension',
  'arrival',
)


@dataclasses.dataclass(frozen=True, eq=False)
class Record:
  """The record of n studies as a hospital keeps it, and its likelihood.

  Attributes:
    numeric: (n, fn) float64, NaN where missing.
    categorical: (n, fc) object array of str, None where missing.
    sex: (n,) str, also of studies without a record.
    terms: (n, p) what the log likelihood of the latents is linear in.
    table: (p, grid) its coefficients at each grid point.
  """

  numeric: np.ndarray
  categorical: np.ndarray
  sex: np.ndarray
  terms: np.ndarray
  table: np.ndarray


def carried(z: np.ndarray, *, polarity: bool) -> np.ndarray:
  """What the record's columns show of the latent z.

  Where only the sign matters there are two separate groups of studies.
  """
  if not polarity:
    return z
  return np.where(z > 0, 1.0, -1.0) * (1.0 + 0.15 * np.abs(z))


def axes() -> tuple[np.ndarray, np.ndarray]:
  """(z,) and (u,) points to integrate over; z is never 0.

  Posteriors are at least .3 wide, for which these steps are exact to 1e-6.
  """
  return (np.arange(60) - 29.5) * 0.15, (np.arange(26) - 12.5) * 0.33


def grid() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Points z and u and log prior weights, (grid,) each, z changing slowest."""
  z, u = (x.ravel() for x in np.meshgrid(*axes(), indexing='ij'))
  prior = -0.5 * (z * z + u * u)
  return z, u, prior - special.logsumexp(prior)


def make_record(
  *,
  z: np.ndarray,
  patient: np.ndarray,
  polarity: bool,
  informative: bool,
  absent: np.ndarray,
  rng: np.random.Generator,
) -> Record:
  """The record of n studies with latents z; `absent` (n,) bool have none."""
  n, patients = len(z), int(patient.max()) + 1
  q, u = carried(z, polarity=polarity), rng.standard_normal(n)
  at_z, at_u, _ = grid()
  at_q = carried(at_z, polarity=polarity)
  terms, table = [], []

  def observe(known):
    """Draws which values are known, adding what that says of q."""
    slope = _INFORMATIVE if informative and known else 0.0
    base = special.logit(MISSING_RATE)
    missing = rng.random(n) < special.expit(base + slope * q)
    if slope:
      terms.extend([missing, ~missing])
      table.extend(
        [
          special.log_expit(base + slope * at_q),
          special.log_expit(-base - slope * at_q),
        ]
      )
    return ~missing

  numeric = [18 + 77 * special.ndtr(0.3 + 0.75 * _of(rng, patients, patient))]
  age = numeric[0] / 77 - 1
  numeric[0] = np.round(numeric[0])
  for m in MEASURES:
    x = m.signal * q + m.nuisance * u + m.noise * rng.standard_normal(n)
    seen = observe(m.signal != 0)
    numeric.append(np.where(seen, m.value(x), np.nan))
    precision = seen / m.noise**2
    at = m.signal * at_q + m.nuisance * at_u
    terms.extend([precision * x, precision])
    table.extend([at, -0.5 * at * at])
  male = _of(rng, patients, patient) > 0
  categorical = [np.array(['female', 'male'])[male.astype(int)]]
  for g in GRADES:
    x = g.signal * q + g.nuisance * u + rng.standard_normal(n)
    level, seen = np.digitize(x, g.cuts), observe(False)
    categorical.append(_text(np.array(g.levels)[level], seen))
    table.extend(g.log_probability(at_q, at_u))
    terms.extend((level == k) & seen for k in range(len(g.levels)))
  for known in (
    _of(rng, patients, patient) > 0.6,
    age + 0.3 * _of(rng, patients, patient) > 0,
  ):
    categorical.append(_text(np.array(BOOLEAN)[known.astype(int)], observe(0)))
  arrival = np.array(_ARRIVAL)[rng.choice(3, n, p=(0.5, 0.3, 0.2))]
  categorical.append(_text(arrival, observe(False)))

  numeric = np.stack(numeric, axis=1)
  numeric[absent] = np.nan
  text = np.empty((n, len(categorical)), object)
  for j, column in enumerate(categorical):
    text[:, j] = column
  text[absent] = None
  terms = np.stack(terms, axis=1).astype(np.float64)
  terms[absent] = 0.0  # Absent by chance, which says nothing.
  return Record(numeric, text, categorical[0], terms, np.stack(table))


def _of(rng, patients, patient):
  """(n,) standard normals, one for each patient."""
  return rng.standard_normal(patients)[patient]


def _text(values, seen):
  out = values.astype(object)
  out[~seen] = None
  return out


def predictor(rule: Rule, z_image: np.ndarray, z_ehr: np.ndarray) -> np.ndarray:
  """The linear predictor of the label, in units of its noise."""
  out = rule.offset + rule.image * z_image + rule.ehr * z_ehr
  if rule.product:
    out = out + rule.product * np.where(z_image * z_ehr > 0, 1.0, -1.0)
  return out


def oracle(
  rule: Rule,
  *,
  z_image: np.ndarray,
  record: Record,
  absent_image: np.ndarray,
  regression: bool,
) -> dict[str, np.ndarray]:
  """(n,) best possible scores given the image latent, the record, and both.

  They are P(y = 1), or the mean of the liability for `regression`, of a study
  by itself: what other studies of its patient would add is left out.
  """
  z, u = axes()
  _, _, prior = grid()
  n = len(z_image)

  def mean(at, spread=0.0):
    """Expectation over N(at, spread^2) of the predictor."""
    return at if regression else special.ndtr(at / np.sqrt(1 + spread**2))

  # By record latent: the expectation with the image unknown; one row of
  # which serves all studies.
  if rule.shared:
    blind = mean(predictor(rule, z, z))
  elif rule.product:
    blind = np.full(len(z), rule.offset if regression else 0.5)
  else:
    blind = mean(predictor(rule, 0.0, z), rule.image)
  if rule.shared:
    image = mean(predictor(rule, z_image, z_image))
  elif rule.product:
    image = np.full(n, rule.offset if regression else 0.5)
  else:
    image = mean(predictor(rule, z_image, 0.0), rule.ehr)
  base = float(np.exp(prior).reshape(len(z), len(u)).sum(axis=1) @ blind)
  image = np.where(absent_image, base, image)
  ehr, both = np.empty(n), np.empty(n)
  # Where the record says nothing of the label the sums below would only add
  # rounding errors, which would look like a ranking.
  silent = not (rule.ehr or rule.product or rule.shared)
  for start in range(0, n, 500):
    rows = slice(start, start + 500)
    weight = special.softmax(record.terms[rows] @ record.table + prior, axis=1)
    weight = weight.reshape(-1, len(z), len(u)).sum(axis=2)
    ehr[rows] = weight @ blind
    if rule.shared:
      both[rows] = image[rows]
    else:
      seen = mean(predictor(rule, z_image[rows, None], z))
      both[rows] = np.einsum('nz,nz->n', weight, seen)
  if silent:
    ehr[:], both = base, image.copy()
  elif rule.product:
    ehr[:] = base
  return {
    'image': image,
    'ehr': ehr,
    'both': np.where(absent_image, ehr, both),
  }
