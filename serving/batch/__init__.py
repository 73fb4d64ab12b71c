"""Batch scoring: the entry script over the files of a folder, in parallel, and resumable."""
