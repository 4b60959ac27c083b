"""fusion_jax: fusing medical images and electronic health records in JAX."""

__version__ = '0.1.0'
