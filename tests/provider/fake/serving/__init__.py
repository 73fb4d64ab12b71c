"""A stand-in for the scoring server: the replica contract with the standard library only."""
