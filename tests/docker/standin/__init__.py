"""A stand-in for pulumi-docker's plugin, over Docker's own command."""
