"""Remembering what a function gave, as long as the thing lives that it was asked about.

Belongs here: caches that go by the identity of a world's object. Does not belong here: what is
remembered. `functools.lru_cache` keeps its arguments alive, and with them whole worlds that nobody
works with any more.
"""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import TypeVar, TypeVarTuple
from weakref import WeakKeyDictionary

Owner = TypeVar("Owner")
More = TypeVarTuple("More")
Result = TypeVar("Result")


def remembered(
    most: int,
) -> Callable[[Callable[[Owner, *More], Result]], Callable[[Owner, *More], Result]]:
    """Return a decorator that remembers results by the function's first argument, the owner.

    They go when the owner goes, which therefore must not be reached from them or from the other
    arguments. Of each owner the results for at most `most` combinations of those are kept, the
    newest; all arguments are positional and hashable, the owner weakly referable.
    """

    def decorator(function: Callable[[Owner, *More], Result]) -> Callable[[Owner, *More], Result]:
        known: WeakKeyDictionary[Owner, dict[Hashable, Result]] = WeakKeyDictionary()

        @wraps(function)
        def ask(owner: Owner, *more: *More) -> Result:
            mine = known.setdefault(owner, {})
            if more not in mine:
                made = function(owner, *more)
                while len(mine) >= most:
                    del mine[next(iter(mine))]
                mine[more] = made
            return mine[more]

        return ask

    return decorator
