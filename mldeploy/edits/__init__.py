"""Edits of manifests that a command makes."""
