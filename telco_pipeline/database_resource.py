"""The resource `database`: which SQL database the loads of a run go to.

Belongs here: from environment and run configuration to the `Database` that assets and checks share.
Does not belong here: what a URL may be (`warehouse.database`), loading (`warehouse.loading`).
"""

import dagster as dg
from pydantic import Field

from telco_pipeline.errors import TelcoError
from telco_pipeline.resources import never_again
from telco_pipeline.warehouse.database import Database


class DatabaseConfig(dg.Config):
    """Run configuration of the warehouse: by default that of the environment."""

    table_schema: str | None = Field(
        default=None,
        description="Schema of the tables; empty: TELCO_DATABASE_SCHEMA, or the database's own. "
        "The database and its password come from TELCO_DATABASE_URL alone, so that no run's "
        "configuration keeps them.",
    )

    def database(self) -> Database:
        """Build it from the environment and these values; nothing is connected to."""
        return Database.from_environment(schema=self.table_schema)


@dg.resource(
    config_schema=DatabaseConfig.to_config_schema(),
    description="The SQL database of TELCO_DATABASE_URL, by default data/warehouse.duckdb.",
)
def database(context: dg.InitResourceContext) -> Database:
    """Build the database that a run loads; wrong values end the run in one clear line."""
    try:
        return DatabaseConfig(**context.resource_config).database()
    except TelcoError as error:
        never_again(context)
        raise dg.Failure(description=str(error), allow_retries=False) from error
