"""Whole lifecycles: the command line, an engine, real replicas, real requests."""
