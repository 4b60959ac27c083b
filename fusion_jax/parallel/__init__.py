"""Floor 1: meshes and the jit and pmap strategies."""
