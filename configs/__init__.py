"""Experiments, a file each: `get_config(arg)` returns a `jaxact.Experiment`."""
