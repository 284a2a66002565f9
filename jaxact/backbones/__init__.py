"""Backbones, a file each."""
