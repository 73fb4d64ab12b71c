"""Providers and policy packs, in this process or as plugin processes, and how they are asked."""
