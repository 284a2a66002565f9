"""Readers of raw formats."""
