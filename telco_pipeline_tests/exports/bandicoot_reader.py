"""Loads exported users with the real bandicoot, in a process of its own.

bandicoot 0.6.0, its newest release (2018), uses two functions of `inspect` that Python 3.11 no
longer has. They are put back here, for this process only; nothing else of bandicoot is touched. It
runs apart because bandicoot changes the root logger when it is imported.

    python bandicoot_reader.py EXPORT [network]

prints one JSON object with the indicators of each user; whatever bandicoot itself says goes where
it says it, stdout or stderr.
"""

import inspect
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple


class ArgSpec(NamedTuple):
    """What `inspect.getargspec` returned."""

    args: list[str]
    varargs: str | None
    keywords: str | None
    defaults: tuple[Any, ...] | None


def getargspec(function: Callable[..., Any]) -> ArgSpec:
    spec = inspect.getfullargspec(function)
    return ArgSpec(spec.args, spec.varargs, spec.varkw, spec.defaults)


def formatargspec(
    args: Sequence[str],
    varargs: str | None = None,
    varkw: str | None = None,
    defaults: Sequence[Any] | None = None,
    formatvalue: Callable[[Any], str] = lambda value: f"={value!r}",
) -> str:
    """Return arguments as they stand between the brackets of a definition."""
    values = list(defaults or ())
    plain = len(args) - len(values)
    words = [
        name if number < plain else name + formatvalue(values[number - plain])
        for number, name in enumerate(args)
    ]
    words += [f"*{varargs}"] if varargs else []
    words += [f"**{varkw}"] if varkw else []
    return f"({', '.join(words)})"


def read(export: Path, *, network: bool) -> dict[str, dict[str, Any]]:
    """Return the indicators of every exported user."""
    vars(inspect).update(getargspec=getargspec, formatargspec=formatargspec)
    import bandicoot

    found = {}
    for file in sorted((export / "records").glob("*.csv")):
        user = bandicoot.read_csv(
            file.stem,
            str(export / "records"),
            str(export / "antennas.csv"),
            attributes_path=str(export / "attributes"),
            network=network,
            describe=True,
            warnings=True,
        )
        found[file.stem] = {
            "indicators": bandicoot.utils.flatten(
                bandicoot.utils.all(user, summary="extended", network=network)
            ),
            "has_home": user.has_home,
        }
    return found


if __name__ == "__main__":
    found = read(Path(sys.argv[1]), network="network" in sys.argv[2:])
    sys.stdout.write("\n" + json.dumps(found, default=str) + "\n")
