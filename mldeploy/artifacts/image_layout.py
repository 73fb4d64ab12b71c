"""What a scoring image has where: for who builds it, and for who runs it."""

from __future__ import annotations

from typing import Final

SERVING: Final = "/opt/serving"
SOURCE: Final = "/opt/source"
"""The source directory."""
START: Final = f"{SERVING}/serving/__main__.py"
"""What runs. By its path: no module of a script's can hide it."""
USER_ID: Final = 10001
"""The user that it runs as; owns nothing on any machine."""
