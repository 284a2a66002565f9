"""Model families, a file each: the config and the Flax module it builds."""
