"""What the C library does with freed memory."""

from __future__ import annotations

import ctypes
import os

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_OWN = ("GLIBC_TUNABLES", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")


def keep_freed() -> bool:
    """Let glibc keep freed memory for the next request; whether it does.

    By default it takes the memory for each body above 128 KiB (and for the text and the arrays made from it) from the
    kernel, page by page, and gives it back afterwards: for 1 MB of text that is more than half of the work. Now up to
    128 MiB stay with the process. Whoever set glibc's own variables keeps their choice.
    """
    if any(name in os.environ for name in _OWN):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    return bool(mallopt(_MMAP_THRESHOLD, 32 << 20) and mallopt(_TRIM_THRESHOLD, 128 << 20))
