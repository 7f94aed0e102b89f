"""Avro: schemas that follow from the contracts, values in the wire format of schema registries.

Belongs here: schemas, encoding, decoding. Does not belong here: the registry itself (`registry`),
JSON, keys and headers (`encoding`), damage on purpose (`disturb`).

A value is a zero byte, the schema's id as four bytes, and the record in Avro's binary encoding. A
record is named `telco.vN.DATASET`, N being the version of its contract, and its subject is
`TOPIC-telco.vN.DATASET` (TopicRecordNameStrategy): a topic may hold several datasets, and a new
version of a contract is a subject of its own, which no rule of compatibility keeps from being sent.
Each schema lists the names of earlier versions as aliases, so that who reads with a newer one reads
older records too, wherever the new fields may be null.

fastavro writes each record from a dictionary. Times and dates are given to it as the integers that
Avro holds; rows are never Python's own times. Measured with rows of `cdrs_data`: see
docs/streaming.md.
"""

import io
import itertools
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from telco_pipeline.contracts.plain import as_integers, avro_schema
from telco_pipeline.errors import TelcoError
from telco_pipeline.streaming.layout import AVRO_MAGIC, USERS, StreamSettings, Topic
from telco_pipeline.streaming.registry import Registry
from telco_pipeline.streaming.sources import IN_SERVICE

try:
    import fastavro
except ImportError:
    raise TelcoError(
        "Avro needs the package fastavro, which is not installed: pip install "
        "'telco-pipeline[avro]', or in a checkout: pip install -e '.[avro]'"
    ) from None

CONTENT_TYPE: Final = b"application/vnd.apache.avro+binary"
HEAD: Final = struct.Struct(">cI")
"""What comes before the record: a zero byte and the schema's id."""


# --- schemas -------------------------------------------------------------------------------


def schema_of(dataset: str) -> dict[str, Any]:
    """Return the Avro schema of a dataset's records as they are sent.

    That is `contracts.plain.avro_schema`, and for users one field more.
    """
    schema = avro_schema(dataset)
    if dataset in USERS:
        doc = "Whether the subscription has not ended when the day begins."
        schema["fields"].append({"name": IN_SERVICE, "type": "boolean", "doc": doc})
    return schema


def subject_of(topic: str, schema: Mapping[str, Any]) -> str:
    """Return the subject of a schema in a topic: TopicRecordNameStrategy."""
    return f"{topic}-{schema['namespace']}.{schema['name']}"


def _binary_schema(schema: Mapping[str, Any]) -> Any:
    """Return a schema that gives the same bytes from integers in place of times and dates."""

    def bare(kind: Any) -> Any:
        if isinstance(kind, list):
            return [bare(one) for one in kind]
        return kind["type"] if isinstance(kind, dict) else kind

    fields = [{"name": one["name"], "type": bare(one["type"])} for one in schema["fields"]]
    return fastavro.parse_schema({"type": "record", "name": schema["name"], "fields": fields})


# --- encoding ------------------------------------------------------------------------------


class AvroEncoder:
    """Values in the wire format of schema registries.

    The id in a value is the registry's: another registry gives other ids and else the same bytes.
    """

    content_type = CONTENT_TYPE
    identity = "avro/1"

    def __init__(self, ids: Mapping[tuple[str, str], int]) -> None:
        """Make an encoder for schemas that are registered.

        Args:
            ids: The registry's id by topic and dataset.
        """
        self._heads = {key: HEAD.pack(AVRO_MAGIC, number) for key, number in ids.items()}
        self._schemas = {name: schema_of(name) for name in {dataset for _, dataset in ids}}
        self._binary = {name: _binary_schema(schema) for name, schema in self._schemas.items()}

    @classmethod
    def of(
        cls,
        settings: StreamSettings,
        topics: Sequence[Topic],
        environ: Mapping[str, str] | None = None,
    ) -> "AvroEncoder":
        """Return an encoder for topics, whose schemas are registered here.

        Args:
            settings: How is streamed; names the registry.
            topics: Where to, and what.
            environ: Where user and password are; this process' variables when None.

        Raises:
            TelcoError: Settings do not go together; or as `Registry.register`.
        """
        if settings.headers == "none":
            raise TelcoError(
                "encoding avro needs headers, which say what a record is and its id: set headers: "
                "cloudevents, or encoding: json"
            )
        if settings.schema_registry is None:
            raise TelcoError(
                "encoding avro needs a schema registry: name it with --schema-registry, or with "
                "the key schema_registry in scenarios/streaming.yaml"
            )
        registry = Registry.of(settings.schema_registry, environ)
        ids = {}
        for topic in topics:
            for dataset in topic.datasets:
                schema = schema_of(dataset)
                ids[topic.name, dataset] = registry.register(subject_of(topic.name, schema), schema)
        return cls(ids)

    def values(self, topic: Topic, dataset: str, rows: pl.DataFrame) -> list[bytes]:
        """Return one value per row.

        Args:
            topic: Where to.
            dataset: Whose rows.
            rows: The columns of the dataset's schema.

        Raises:
            TelcoError: A value is null in a column that may not be.
        """
        head, schema = self._heads[topic.name, dataset], self._schemas[dataset]
        names = [one["name"] for one in schema["fields"]]
        rows = rows.select(as_integers({name: rows.schema[name] for name in names}))
        _check_nulls(dataset, schema, rows)
        return _written(head, self._binary[dataset], rows)


def _check_nulls(dataset: str, schema: Mapping[str, Any], rows: pl.DataFrame) -> None:
    for one in schema["fields"]:
        if "default" not in one and rows[one["name"]].null_count():
            raise TelcoError(
                f"{dataset}: a row has no {one['name']}, which its contract asks for: make the day "
                "anew with telco generate, or complete the users file"
            )


def _written(head: bytes, schema: Any, rows: pl.DataFrame) -> list[bytes]:
    """Return rows as values; all are written into one buffer, which is then cut."""
    names = rows.columns
    buffer, ends, write = io.BytesIO(), [0], fastavro.schemaless_writer
    # Columns of Python's values and a dictionary at a time: no row outlives its turn.
    for row in zip(*(rows[name].to_list() for name in names), strict=True):
        buffer.write(head)
        write(buffer, schema, dict(zip(names, row, strict=True)), disable_tuple_notation=True)
        ends.append(buffer.tell())
    whole = buffer.getvalue()
    return [whole[begin:end] for begin, end in itertools.pairwise(ends)]


# --- decoding ------------------------------------------------------------------------------


class AvroDecoder:
    """Reads values whose schemas a registry has; schemas are fetched once."""

    def __init__(self, registry: Registry) -> None:
        """Make a decoder; asks nobody yet."""
        self._registry = registry
        self._schemas: dict[int, Any] = {}
        self._trouble: TelcoError | None = None

    def record(self, value: bytes) -> tuple[str, dict[str, Any]]:
        """Return the full name of a value's record and its fields.

        Raises:
            TelcoError: It is in no such format, damaged, of no schema that is known, or the
                registry cannot be reached; once that is so it is not asked again.
        """
        if len(value) < HEAD.size or value[:1] != AVRO_MAGIC:
            raise TelcoError("no record in the wire format of a schema registry")
        number = int(HEAD.unpack_from(value)[1])
        schema = self._schema(number)
        source = io.BytesIO(value)
        source.seek(HEAD.size)
        try:
            found = fastavro.schemaless_reader(source, schema, None)
        # Whatever bytes are there: fastavro has no error of its own for damaged ones.
        except Exception as error:
            raise TelcoError(f"schema {number} does not read it ({type(error).__name__})") from None
        if source.read(1) or not isinstance(found, dict):
            raise TelcoError(f"schema {number} does not read it (something is left over)")
        return str(schema["name"]), found

    def text(self, value: bytes) -> str:
        """Return a value as the JSON that `encoding.JsonEncoder` makes of such a row.

        Raises:
            TelcoError: As `record`.
        """
        name, found = self.record(value)
        dataset = name.rpartition(".")[2]
        first = "record" if "dataset" in found else "dataset"
        return json.dumps(
            {first: dataset} | found, ensure_ascii=False, separators=(",", ":"), default=_told
        )

    def _schema(self, number: int) -> Any:
        if number not in self._schemas:
            if self._trouble is not None:
                raise self._trouble
            try:
                found = self._registry.schema(number)
            except TelcoError as error:
                self._trouble = error
                raise
            try:
                self._schemas[number] = found and fastavro.parse_schema(dict(found))
            except Exception:
                # A foreign schema may be anything.
                self._schemas[number] = None
        schema = self._schemas[number]
        if schema is None:
            raise TelcoError(f"the registry has no Avro schema {number}")
        return schema


def _told(cell: Any) -> str:
    """Return a time or date, and whatever else foreign schemas hold, as text."""
    if hasattr(cell, "utctimetuple"):
        return cell.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
    return cell.isoformat() if hasattr(cell, "isoformat") else str(cell)
