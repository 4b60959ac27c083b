"""Compiled programs kept between processes."""

import jax

from fusion_jax.core import errors, files

# Programs that compile faster than this are not worth a file.
_LEAST_SECONDS = 0.5


def keep_compiled_programs() -> None:
  """Lets jax keep what it compiles in the user's cache folder.

  A second run of the same arms then need not compile again. Where the
  environment names a folder (JAX_COMPILATION_CACHE_DIR), that one is used.
  """
  if jax.config.jax_compilation_cache_dir:
    return
  try:
    folder = files.user_cache() / 'xla'
  except errors.UserError:
    # Without a place to keep them, programs are compiled anew.
    return
  jax.config.update('jax_compilation_cache_dir', str(folder))
  jax.config.update(
    'jax_persistent_cache_min_compile_time_secs', _LEAST_SECONDS
  )
