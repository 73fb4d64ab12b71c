"""The words of the engine: names, goals, recorded states, options, events and errors."""
