"""Declarative deployment of machine-learning models."""
