"""The scoring server: runs an entry script's `init()` and `run()` behind HTTP, the same on every target."""

__version__ = "0.1.0"
