"""Devices, processes and the memory of the host."""
