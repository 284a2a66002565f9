"""Data sets of other forms, and annotations of other programs, to manifests."""
