"""Memory of worker processes.

Belongs here: how the C library keeps freed memory, and gives it back. Does not belong here: what
is kept.
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
    library = _glibc()
    if library is None:
        return False
    return bool(
        library.mallopt(_M_MMAP_THRESHOLD, _KEEP) and library.mallopt(_M_TRIM_THRESHOLD, _KEEP)
    )


def give_back_memory() -> bool:
    """Give what is kept and not in use back to the system; return whether there was any.

    It takes a tenth of a second for some hundred megabytes to be touched again, so it is for the
    end of long work.
    """
    library = _glibc()
    return library is not None and bool(library.malloc_trim(0))


def _glibc() -> ctypes.CDLL | None:
    """Return the C library, if it is the one with these functions."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
        return library if library.mallopt and library.malloc_trim else None
    except (OSError, AttributeError):  # another C library, such as musl
        return None
