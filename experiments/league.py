"""`fusion-jax league`, from a checkout."""

from fusion_jax.launch import command

if __name__ == '__main__':
  command.main('league')
