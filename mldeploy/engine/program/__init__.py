"""The project's program: its settings, its run in this process, and what it asks for."""
