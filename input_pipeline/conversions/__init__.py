"""Data sets of other forms to manifests: a command each, for sets without builders."""
