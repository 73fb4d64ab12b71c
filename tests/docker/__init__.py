"""Real images on a real Docker Engine, without any public image registry."""
