"""Rows as generators hand them over: columns, with repeated texts as codes.

Belongs here: `CodedText`, `Rowset`, and their way to Arrow and Polars. Does not belong here: the
file that they become (`files`).

A record names a subscriber by three texts, and a subscriber has many records. Kept as row numbers
into a list of texts, such a column takes 4 bytes a row instead of 16, and goes into Parquet's own
dictionary encoding without hashing every text again, which is most of what writing texts costs.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from telco_pipeline.contracts import Dataset
from telco_pipeline.engine.numerals import Numerals

Codes = npt.NDArray[np.int32]
NULL = -1


@dataclass(frozen=True)
class CodedText:
    """A text column: different texts, and which of them each row has.

    Attributes:
        texts: The texts, each used at least once.
        codes: Position in `texts` of each row's text; -1 for null.
    """

    texts: pl.Series
    codes: Codes

    @classmethod
    def of(
        cls,
        texts: pl.Series | Numerals,
        rows: npt.NDArray[np.integer],
        missing: npt.NDArray[np.bool_] | None = None,
    ) -> "CodedText":
        """Return the column of `texts` at `rows`, null where missing; unused texts are left out."""
        used, codes = compact(rows if missing is None else rows[~missing], len(texts))
        if missing is None:
            return cls(texts.gather(used), codes)
        column = np.full(len(rows), NULL, dtype=np.int32)
        column[~missing] = codes
        return cls(texts.gather(used), column)

    @classmethod
    def of_few(cls, texts: pl.Series, rows: npt.NDArray[np.integer]) -> "CodedText":
        """Return the column of a short list of texts, with equal ones and nulls, at `rows`."""
        different = texts.drop_nulls().unique(maintain_order=True)
        place = {text: code for code, text in enumerate(different)}
        codes = np.array([place.get(text, NULL) for text in texts], dtype=np.int32)[rows]
        return cls.of(different, codes, codes == NULL)

    @classmethod
    def several(
        cls, rows: npt.NDArray[np.integer], **texts: pl.Series | Numerals
    ) -> "dict[str, CodedText]":
        """Return columns of several lists of texts at the same rows, which are coded only once."""
        used, codes = compact(rows, len(next(iter(texts.values()))))
        return {name: cls(column.gather(used), codes) for name, column in texts.items()}

    def distinct(self) -> "CodedText":
        """Return the same column with each text once: Parquet's dictionaries hold no text twice."""
        different = self.texts.unique(maintain_order=True)
        if len(different) == len(self.texts):
            return self
        places = pl.DataFrame({"text": different, "place": np.arange(len(different))})
        joined = self.texts.to_frame("text").join(
            places, on="text", how="left", maintain_order="left"
        )
        place = np.append(joined["place"].to_numpy(), NULL).astype(np.int32)
        return CodedText(different, place[self.codes])

    def slice(self, start: int, length: int) -> "CodedText":
        """Return some rows, with the texts of all."""
        return CodedText(self.texts, self.codes[start : start + length])

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.codes)

    def to_series(self) -> pl.Series:
        """Return the texts row by row."""
        null = pl.Series([None], dtype=self.texts.dtype)
        rows = np.where(self.codes == NULL, len(self.texts), self.codes)
        return pl.concat([self.texts, null], rechunk=True).gather(rows)

    def to_arrow(self) -> pa.DictionaryArray:
        """Return an Arrow dictionary array."""
        codes = pa.array(self.codes, mask=self.codes == NULL if self._has_nulls else None)
        texts = self.texts.cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest())
        return pa.DictionaryArray.from_arrays(codes, texts)

    @cached_property
    def _has_nulls(self) -> bool:
        return bool(len(self.codes)) and int(self.codes.min()) == NULL


def compact(rows: npt.NDArray[np.integer], size: int) -> tuple[npt.NDArray[np.int64], Codes]:
    """Return which of `size` rows are used, in order, and the position of each row among them."""
    if size > 8 * len(rows):
        used, codes = np.unique(rows, return_inverse=True)
        return used.astype(np.int64), codes.astype(np.int32)
    # Marking beats sorting where the list is not much longer than the column.
    marks = np.zeros(size, dtype=np.int32)
    marks[rows] = 1
    used = np.flatnonzero(marks)
    return used, (np.cumsum(marks, dtype=np.int32) - np.int32(1))[rows]


@dataclass(frozen=True)
class Rowset:
    """Rows of a dataset, in the contract's columns, types and order.

    Attributes:
        dataset: The contract.
        columns: The columns by name.
    """

    dataset: Dataset
    columns: dict[str, pl.Series | CodedText]

    @classmethod
    def of(cls, dataset: Dataset, columns: dict[str, pl.Series | CodedText]) -> "Rowset":
        """Put columns into the contract's order, cast to its types where they differ."""
        return cls(
            dataset,
            {
                name: column
                if isinstance(column := columns[name], CodedText) or column.dtype == dtype
                else column.cast(dtype)
                for name, dtype in dataset.polars_schema.items()
            },
        )

    @classmethod
    def empty(cls, dataset: Dataset) -> "Rowset":
        """Return no rows."""
        return cls.from_frame(dataset, pl.DataFrame(schema=dataset.polars_schema))

    @classmethod
    def from_frame(cls, dataset: Dataset, frame: pl.DataFrame) -> "Rowset":
        """Return the rows of a frame that keeps the contract."""
        return cls(dataset, {name: frame[name] for name in frame.columns})

    @property
    def height(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    def slice(self, start: int, length: int) -> "Rowset":
        """Return some rows."""
        columns = {name: column.slice(start, length) for name, column in self.columns.items()}
        return Rowset(self.dataset, columns)

    def to_frame(self) -> pl.DataFrame:
        """Return the rows as a frame in the contract's types."""
        schema = self.dataset.polars_schema
        return pl.DataFrame(
            [
                (
                    column.to_series().cast(schema[name])
                    if isinstance(column, CodedText)
                    else column
                ).alias(name)
                for name, column in self.columns.items()
            ]
        )

    def to_arrow(self) -> pa.Table:
        """Return an Arrow table, with coded texts and enumerations as dictionary arrays."""
        return pa.table(
            {
                name: column.to_arrow()
                if isinstance(column, CodedText)
                else column.to_arrow(compat_level=pl.CompatLevel.oldest())
                for name, column in self.columns.items()
            }
        )
