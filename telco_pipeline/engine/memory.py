"""Memory of worker processes.

Belongs here: how the C library keeps freed memory. Does not belong here: what is kept.
"""

import ctypes
import sys
from typing import Final

# mallopt parameters of glibc (malloc.h).
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_KEEP: Final = 1 << 30


def keep_freed_memory() -> bool:
    """Tell the C library to keep freed arrays for the next ones; return whether it could.

    NumPy's temporary arrays of some megabytes would otherwise go back to the system each time,
    and touching new pages then costs more than the arithmetic (a quarter of a generator's time).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        library = ctypes.CDLL("libc.so.6")
        return bool(
            library.mallopt(_M_MMAP_THRESHOLD, _KEEP) and library.mallopt(_M_TRIM_THRESHOLD, _KEEP)
        )
    except (OSError, AttributeError):  # another C library, such as musl
        return False
