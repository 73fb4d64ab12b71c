"""What a stack is on disk: backend, checkpoint, journal, locks, secrets, snapshots."""
