"""A world file with its lines: YAML in, plain values and their places out.

Belongs here: reading and writing YAML strictly. Does not belong here: what the values mean
(`model`, `values`).

The YAML is a plain subset: mappings, lists and scalars. Anchors, aliases and tags are refused (a
few aliases can stand for gigabytes), so are keys that occur twice. Only true and false are
booleans and dates are read by `values`, so that ``NO`` stays a country and ``1:30`` a text.
"""

import contextlib
import io
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from telco_pipeline.errors import TelcoError

Location = tuple[str | int, ...]

WORLD: Final = "world"
_MAX_BYTES: Final = 1 << 20
_MAX_DEPTH: Final = 20
_STANDARD: Final = "tag:yaml.org,2002:"


@dataclass
class WorldFile:
    """What a file says and where.

    Attributes:
        name: The file, as people know it.
        tree: The values.
        lines: Line (from 1) of each key and list entry.
        raw: Scalars as they were written.
    """

    name: str
    tree: dict[str, Any] = field(default_factory=dict)
    lines: dict[Location, int] = field(default_factory=dict)
    raw: dict[Location, str] = field(default_factory=dict)

    def without(self, keys: Collection[str]) -> "WorldFile":
        """Return the file without some top-level keys, which something else replaces."""
        return WorldFile(
            self.name,
            {key: value for key, value in self.tree.items() if key not in keys},
            {at: line for at, line in self.lines.items() if not at or at[0] not in keys},
            {at: text for at, text in self.raw.items() if at[0] not in keys},
        )

    def line(self, at: Location) -> int:
        """Return the line of a place, or of the nearest one around it."""
        while at and at not in self.lines:
            at = at[:-1]
        return self.lines.get(at, 1)


def read(path: Path, kind: str = WORLD) -> WorldFile:
    """Read a YAML file whose top level is a mapping.

    Args:
        path: The file.
        kind: What it describes, for messages.

    Raises:
        TelcoError: When the file cannot be read or is no such YAML; names the line.
    """
    file = WorldFile(_display(path))
    root = _compose(file.name, _text(path, file.name, kind))
    if root is None:
        raise TelcoError(f"{file.name}:1: the file is empty: write the keys of a {kind}")
    if not isinstance(root, yaml.MappingNode):
        raise TelcoError(
            f"{file.name}:{root.start_mark.line + 1}: must be a mapping, lines of 'key: value'"
        )
    file.lines[()] = root.start_mark.line + 1
    file.tree = _value(root, (), file)
    return file


def dump(tree: dict[str, Any]) -> str:
    """Return YAML that `read` reads back to the same values."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _display(path: Path) -> str:
    """Return the path as people know it: from the current folder where it lies below it."""
    text = str(path)
    if path.is_absolute():
        with contextlib.suppress(ValueError, OSError):
            text = str(path.relative_to(Path.cwd()))
    return text if text.isprintable() else repr(text)


def _text(path: Path, name: str, kind: str) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MAX_BYTES + 1)  # no more, should it be an endless device
    except FileNotFoundError:
        way = "name one with TELCO_WORLD, or restore the checkout's scenarios/world.yaml"
        if kind != WORLD:
            way = "telco scenarios list shows those there are"
        raise TelcoError(f"{name}: there is no such file: {way}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        raise TelcoError(f"{name}: cannot be read: {reason}") from None
    if len(data) > _MAX_BYTES:
        raise TelcoError(f"{name}: is no {kind} file: it has more than {_MAX_BYTES:,} bytes")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TelcoError(f"{name}:{line}: is not UTF-8 text: save the file as UTF-8") from None


class _Refused(yaml.MarkedYAMLError):
    """YAML that is valid but not of the plain subset."""


class _Loader(yaml.SafeLoader):
    """Composes plain YAML of limited depth."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()
        mark = event.start_mark
        if getattr(event, "anchor", None) is not None:
            raise _Refused(
                problem="anchors (&) and aliases (*) are not allowed: write the value out",
                problem_mark=mark,
            )
        if self._depth >= _MAX_DEPTH:
            raise _Refused(problem=f"more than {_MAX_DEPTH} levels deep", problem_mark=mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Writes YAML that other readers and `_Loader` understand alike."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_NUMBER_STARTS: Final = list("-+.0123456789")
_INT: Final = re.compile(r"[-+]?[0-9][0-9_]*$")
_FLOAT: Final = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
)
_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(
    f"{_STANDARD}bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver(
    f"{_STANDARD}null", re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)
# The dumper keeps its own rules too: it quotes whatever any reader could take for a number.
for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver(f"{_STANDARD}int", _INT, _NUMBER_STARTS)
    _class.add_implicit_resolver(f"{_STANDARD}float", _FLOAT, _NUMBER_STARTS)


def _compose(name: str, text: str) -> yaml.Node | None:
    loader = None
    try:
        loader = _Loader(io.StringIO(text))
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        problem = error.problem or ""
        if error.context and problem.startswith("but "):  # the second half of a sentence
            problem = f"{error.context}, {problem}"
        kind = "" if isinstance(error, _Refused) else "is not valid YAML: "
        raise TelcoError(f"{name}:{line}: {kind}{_one_line(problem)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise TelcoError(
            f"{name}:{line}: is not valid YAML: control characters are not allowed"
        ) from None
    except (ValueError, OverflowError):
        # PyYAML passes escapes such as "\UFFFFFFFF" to chr() unchecked.
        line = loader.line + 1 if loader else 1
        raise TelcoError(f"{name}:{line}: is not valid YAML: no such character") from None
    finally:
        if loader is not None:
            loader.dispose()


def _value(node: yaml.Node, at: Location, file: WorldFile) -> Any:
    if isinstance(node, yaml.MappingNode) and node.tag == f"{_STANDARD}map":
        return _mapping(node, at, file)
    if isinstance(node, yaml.SequenceNode) and node.tag == f"{_STANDARD}seq":
        entries: list[Any] = []
        for place, entry in enumerate(node.value):
            file.lines[*at, place] = entry.start_mark.line + 1
            entries.append(_value(entry, (*at, place), file))
        return entries
    if isinstance(node, yaml.ScalarNode):
        file.raw[at] = node.value
        return _scalar(node, file)
    raise _tag_error(node, file)


def _mapping(node: yaml.MappingNode, at: Location, file: WorldFile) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise TelcoError(f"{file.name}:{line}: a key must be a word, not a list or mapping")
        # As it is written: a vendor named 3 is "3", a service named yes is "yes".
        key = key_node.value
        if key in entries:
            first = file.lines[*at, key]
            raise TelcoError(
                f"{file.name}:{line}: key '{_one_line(key)}' is there already, in line {first}: "
                "remove one of them"
            )
        file.lines[*at, key] = line
        entries[key] = _value(value_node, (*at, key), file)
    return entries


def _scalar(node: yaml.ScalarNode, file: WorldFile) -> Any:
    text = node.value
    kind = node.tag.removeprefix(_STANDARD)
    try:
        if kind == "str":
            return text
        if kind == "int":
            return int(text.replace("_", ""))
        if kind == "float":
            # YAML writes .inf and .nan, Python inf and nan.
            return float(re.sub(r"\.(?=[a-zA-Z])", "", text.replace("_", "")))
    except ValueError:
        line = node.start_mark.line + 1
        raise TelcoError(
            f'{file.name}:{line}: "{_one_line(text)}" cannot be read as a number'
        ) from None
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    raise _tag_error(node, file)


def _tag_error(node: yaml.Node, file: WorldFile) -> TelcoError:
    line = node.start_mark.line + 1
    return TelcoError(
        f"{file.name}:{line}: tags (!) are not allowed: write the value without "
        f"'{_one_line(node.tag)}'"
    )


def _one_line(text: str) -> str:
    cut = text if len(text) <= 80 else f"{text[:77]}..."
    return cut if cut.isprintable() else ascii(cut)[1:-1]
