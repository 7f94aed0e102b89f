"""Bounds of a world: what lies outside does not arise.

Belongs here: the keys of `bounds` in a world file. Does not belong here: how they take effect,
which is at home where the thing is made: places in `world.places`, sites and antennas in
`world.radio` and `world.cells`, lengths of calls and sessions in `generators.cdrs`.

A world without bounds is the same world, with the same hash, as before there were any.
"""

from typing import Annotated, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict

from telco_pipeline.settings import values

SHORTEST_S: Final = 1
LONGEST_S: Final = 14_400
LATITUDES: Final = (49.4, 51.6)
LONGITUDES: Final = (2.5, 6.5)
HIGHEST_M: Final = 100

DURATION: Final = values.span("two whole numbers", SHORTEST_S, LONGEST_S, integers=True)
LATITUDE: Final = values.span("two latitudes", *LATITUDES)
LONGITUDE: Final = values.span("two longitudes", *LONGITUDES)
HEIGHT: Final = values.span("two heights", 0, HIGHEST_M, integers=True)

Duration = Annotated[tuple[int, int], BeforeValidator(DURATION)]
Latitude = Annotated[tuple[float, float], BeforeValidator(LATITUDE)]
Longitude = Annotated[tuple[float, float], BeforeValidator(LONGITUDE)]
Height = Annotated[tuple[int, int], BeforeValidator(HEIGHT)]


class Bounds(BaseModel):
    """What a world is limited to; each bound may be left out.

    Attributes:
        duration_s: Shortest and longest answered call and data session, in seconds.
        latitude: Where places and sites lie, degrees (WGS 84).
        longitude: Likewise.
        antenna_height_m: Heights above ground at which antennas are mounted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    duration_s: Duration | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    antenna_height_m: Height | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is bounded."""
        return not self.model_dump(exclude_none=True)

    @property
    def shortest_s(self) -> int:
        """The shortest answered call or data session in seconds; 0: as they come."""
        return 0 if self.duration_s is None else self.duration_s[0]

    @property
    def longest_s(self) -> int | None:
        """The longest answered call or data session in seconds; None: as they come."""
        return None if self.duration_s is None else self.duration_s[1]

    @property
    def box(self) -> tuple[tuple[float, float], tuple[float, float]] | None:
        """Latitudes and longitudes within which places and sites lie; None: the whole country."""
        if self.latitude is None and self.longitude is None:
            return None
        return self.latitude or LATITUDES, self.longitude or LONGITUDES
