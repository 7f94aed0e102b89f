"""Reading a world: the file, the options that replace some of it, the check of both.

Belongs here: `load_world`. Does not belong here: YAML (`world_file`), the rules (`values`,
`checks`).
"""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from telco_pipeline.errors import TelcoError
from telco_pipeline.settings.environment import Settings
from telco_pipeline.settings.model import WorldConfig


def load_world(path: Path | None = None, **overrides: Any) -> WorldConfig:
    """Read a world file.

    Args:
        path: The file; that of `Settings.from_env` when None.
        **overrides: Values of top-level keys that replace those of the file, such as
            ``subscribers=100``; None leaves the file's.

    Raises:
        TelcoError: When the file cannot be read or a value is refused. One line: the file and
            line (or the option) of the first problem, and what to write instead.
    """
    # Here, not above: YAML is slow to import, and a worker gets its world ready made.
    from telco_pipeline.settings import problems, world_file

    given = {key: value for key, value in overrides.items() if value is not None}
    source = world_file.read(path or Settings.from_env().world_file)
    if "layers" in source.tree:
        raise TelcoError(
            f"{source.name}:{source.line(('layers',))}: layers are files of their own: put each "
            "into the directory layers beside the world file"
        )
    source = source.without(given)
    try:
        return WorldConfig.model_validate({**source.tree, **given})
    except ValidationError as error:
        raise TelcoError(problems.describe(error, WorldConfig, source, given)) from None
