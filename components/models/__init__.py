"""Registered models, in the local store and in Azure ML."""
