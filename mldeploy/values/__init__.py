"""Property values, with secrets and unknowns, and what is done with them: paths, digests, the wire format."""
