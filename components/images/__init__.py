"""Scoring images: the build context, the image of a container target, the environment of a local process."""
