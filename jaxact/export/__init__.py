"""Models that leave: folders that other machines read, and formats without JAX."""
