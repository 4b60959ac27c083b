"""What image files say of themselves, before anything is decoded."""

import contextlib
import os
import pathlib
import re
from collections.abc import Sequence

import numpy as np

from fusion_jax.data import array_files, image_files
from fusion_jax.data import images as images_lib
from fusion_jax.data.kinds import image

# The order of the columns that are kept beside decoded images.
HEADER = (
  'file size',
  'width',
  'height',
  'bit depth',
  'channels',
  'format',
  'JPEG quantisation',
)


def read(
  root: str | os.PathLike,
  paths: Sequence[Sequence[str]],
  decoded: images_lib.Decoded,
) -> dict[str, np.ndarray]:
  """Facts about the files of n studies, for `image.Data.facts`.

  Size in bytes, original width and height, bits a sample, channels, format
  and coarseness of JPEG compression (the sum of its first quantisation table)
  are means over a study's images; they are kept beside the decoded images. Of
  the path of the first image: length, last number, place in alphabetical
  order and that of its folder.

  Args:
    root: the data folder.
    paths: per study, image paths relative to `root`; all of them readable.
    decoded: the images, as `images.load` returned them.

  Returns:
    By name, (n,) float64, NaN for a study without images.
  """
  n = len(paths)
  names = [x for study in paths for x in study]
  owner = np.repeat(np.arange(n), [len(x) for x in paths])
  kept = decoded.path.with_suffix('.facts')
  shape = (len(names), len(HEADER))
  values = array_files.read(kept, shape=shape, name=decoded.digest)
  if values is None:
    root = pathlib.Path(root)
    with image_files.quiet_pillow():
      values = np.array([_header(root / x) for x in names], np.float64)
    values = values.reshape(shape)
    # A cache that cannot be written costs time, no more.
    with contextlib.suppress(OSError):
      array_files.write(
        kept,
        [values.tobytes()],
        shape=shape,
        dtype=values.dtype,
        name=decoded.digest,
      )
  count = np.bincount(owner, minlength=n)
  found = {}
  for name, column in zip(HEADER, values.T, strict=True):
    sums = np.bincount(owner, column, minlength=n)
    found[name] = np.divide(
      sums, count, out=np.full(n, np.nan), where=count > 0
    )
  return {**found, **_of_paths(paths)}


def _header(path: pathlib.Path) -> tuple[float, ...]:
  with image_files.opened(path) as file:
    found = image_files.read_header(file)
  return (
    found.size,
    found.width,
    found.height,
    found.depth,
    found.bands,
    image_files.KINDS.index(found.kind),
    found.quantisation,
  )


def _of_paths(paths) -> dict[str, np.ndarray]:
  first = [study[0] if study else '' for study in paths]
  path, place = np.unique(first, return_inverse=True)
  folder = np.unique(
    [pathlib.PurePosixPath(x).parent.as_posix() for x in path],
    return_inverse=True,
  )[1]
  numbers = [re.findall(r'\d+', pathlib.PurePosixPath(x).stem) for x in path]
  by_path = {
    'length': [len(x) for x in path],
    'number': [float(x[-1][-15:]) if x else -1.0 for x in numbers],
    'order': np.arange(len(path)),
    'folder': folder,
  }
  absent = np.array([not x for x in first])
  return {
    image.PATH + name: np.where(absent, np.nan, np.asarray(x, float)[place])
    for name, x in by_path.items()
  }
