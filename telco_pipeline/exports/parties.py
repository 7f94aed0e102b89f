"""Who is behind a number: our subscriber's key at that time, or a pseudonym.

Belongs here: from numbers in records to stable ids that tell no number. Does not belong here: which
numbers there are (`world.numbering`), who got which (`generators.identities`).
"""

import datetime as dt
from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl

from telco_pipeline.engine.identifiers import Permutation

MOST_DIGITS: Final = 15
"""Longest number of E.164."""
OUTSIDE: Final = "x"
"""What the id of a party that is not ours begins with; keys of subscribers are plain numbers."""

_BEFORE_ALL: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class Parties:
    """Names the other party of a record.

    A number belongs to the subscriber who has it in the registry, from the moment of a change of
    identity to the one who gets it then, and with its last holder while nobody has it. The id of
    a party that is not ours is a keyed bijection of its number: the same in every export of a
    world, different in another world, and never the same for two numbers.
    """

    def __init__(self, registry: pl.DataFrame, changes: pl.DataFrame, seed: int) -> None:
        """Learn who has which number from when on.

        Args:
            registry: `subscriber_id` and `msisdn` on the epoch.
            changes: `event_time`, `subscriber_id` and `msisdn` after each change of identity.
            seed: Seed of the world, which keys the pseudonyms.
        """
        since = pl.lit(_BEFORE_ALL).cast(pl.Datetime("us", "UTC"))
        columns = ["since", "msisdn", "subscriber_id"]
        self._holders = pl.concat(
            [
                registry.with_columns(since=since).select(columns),
                changes.rename({"event_time": "since"}).select(columns),
            ]
        ).sort("since", maintain_order=True)
        self._pseudonym = Permutation(2 * 10**MOST_DIGITS, seed, "exports/party")

    def ids(self, numbers: pl.Series, times: pl.Series) -> pl.Series:
        """Return one id per number.

        Args:
            numbers: Numbers as they stand in records.
            times: When each was used (UTC).

        Returns:
            Text: the key of our subscriber, or `x` and 16 digits.
        """
        asked = pl.DataFrame({"msisdn": numbers, "time": times}).with_row_index("row")
        found = (
            asked.sort("time")
            .join_asof(
                self._holders,
                left_on="time",
                right_on="since",
                by="msisdn",
                check_sortedness=False,
            )
            .sort("row")
        )
        outside = found.filter(pl.col("subscriber_id").is_null())["msisdn"].unique()
        names = pl.DataFrame({"msisdn": outside, "outside": self.pseudonyms(outside.to_list())})
        return (
            found.join(names, on="msisdn", how="left", maintain_order="left")
            .select(pl.coalesce(pl.col("subscriber_id").cast(pl.String), "outside"))
            .to_series()
            .alias("correspondent_id")
        )

    def pseudonyms(self, numbers: Sequence[str]) -> pl.Series:
        """Return the ids of numbers that are not ours (`+` and up to 15 digits)."""
        # A short code and an international number may have the same digits: one bit apart.
        plain = np.array(
            [2 * int(number.lstrip("+")) + number.startswith("+") for number in numbers],
            dtype=np.int64,
        )
        images = self._pseudonym(plain).tolist()
        return pl.Series([f"{OUTSIDE}{image:016d}" for image in images], dtype=pl.String)
