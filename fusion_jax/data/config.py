"""Configuration of what is read, split and preprocessed."""

import dataclasses

from fusion_jax.core import errors

# What models of small squares and one machine's memory can use.
LARGEST_SIDE = 4096
MOST_STUDIES = 1_000_000
MOST_PIXELS = 2**31


@dataclasses.dataclass(frozen=True)
class CohortConfig:
  """Which cohort to open.

  Attributes:
    name: a built-in world, a descriptor that is shipped, a folder that holds
      cohort.toml, or a .toml file.
    data_root: where a descriptor's tables and images are; empty for the
      folder that a .toml file is in.
    image_size: side of the square images in pixels; 0 means the world's own
      size, the descriptor's `image_size`, or else the longest side found in
      the images, at most 64.
    n: worlds only: number of studies; 0 means 1,500.
    seed: worlds only: what is generated.
    task: worlds only: the kind of label; empty for binary.
    informative_missing: worlds only: whether what is missing depends on the
      values rather than on chance.
    absent_images: worlds only: share of studies without an image, by chance.
    absent_ehr: worlds only: share of studies without a record, by chance; none
      has neither, so that both shares together are at most 1.
    withhold: MODALITY:SHARE, such as image:0.5, of what is taken from some
      studies by chance (`data.withhold`); not the last modality a study has.
      In worlds, image:0.5:informative takes it by the other side's risk.
    modalities: those to use, by name; empty for all that the cohort has.
    cache_dir: where decoded images are kept; empty for the user cache folder.
  """

  name: str = 'complementary'
  data_root: str = ''
  image_size: int = 0
  n: int = 0
  seed: int = 0
  task: str = ''
  informative_missing: bool = False
  absent_images: float = 0.0
  absent_ehr: float = 0.0
  withhold: tuple[str, ...] = ()
  modalities: tuple[str, ...] = ()
  cache_dir: str = ''


def check(config: CohortConfig) -> None:
  """Checks what needs no data.

  Raises:
    UserError: naming the value and the legal ones.
  """
  for name, most in (('image_size', LARGEST_SIDE), ('n', MOST_STUDIES)):
    value = getattr(config, name)
    if not 0 <= value <= most:
      raise errors.UserError(
        f'cohort.{name} = {value}: expected a whole number from 0 to {most}.'
      )
  if config.n * config.image_size**2 > MOST_PIXELS:
    raise errors.UserError(
      f'cohort.n = {config.n} images of cohort.image_size = '
      f'{config.image_size} are more than {MOST_PIXELS} pixels.'
    )


@dataclasses.dataclass(frozen=True)
class SplitConfig:
  """How studies are divided into training, validation and test parts.

  Attributes:
    scheme: 'auto' (the cohort's own fold column where it has one and `folds`
      is 0 or its number of folds, else 'kfold'), 'kfold' (by patient,
      stratified by label), 'site' (each site is the test part once), 'column'
      (the cohort's fold column), 'time' (each test part is later than what
      it was trained on) or 'file' (splits that a run has saved).
    folds: number of test parts for 'kfold' and 'time'; 0 for the supplied
      number, or 3.
    repeats: how often the whole division is drawn anew.
    valid_fraction: share of the studies outside the test part that are kept
      for validation.
    train_fraction: share of the training and of the validation patients that
      are used, for learning curves; test parts stay.
    file: what scheme 'file' reads.
    seed: of the divisions.
  """

  scheme: str = 'auto'
  folds: int = 0
  repeats: int = 1
  valid_fraction: float = 0.2
  train_fraction: float = 1.0
  file: str = ''
  seed: int = 0


@dataclasses.dataclass(frozen=True)
class PreprocessConfig:
  """What is fitted on the training part before any model.

  Attributes:
    max_levels: codes of each categorical column: 0 missing, 1 other or
      unseen, from 2 the levels by training frequency. The number is fixed, so
      that shapes never depend on data.
    min_level_count: a level with fewer training studies counts as 'other',
      which is thereby trained too.
    pixel_components: principal components kept of the pixels.
    pixel_size: side of the reduced image the components are taken of.
    histogram_bins: bins of each channel's histogram.
    volume_size: side of the reduced volume the components are taken of.
    series_codes: most codes of a series that models know; rarer ones are one
      code, 'other'.
  """

  max_levels: int = 32
  min_level_count: int = 2
  pixel_components: int = 32
  pixel_size: int = 32
  histogram_bins: int = 8
  volume_size: int = 16
  series_codes: int = 64
