"""Pulumi components: one ComponentResource a file."""
