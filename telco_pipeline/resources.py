"""Resources: the operator that the assets of a run work for, and how a run chooses it.

Belongs here: from run configuration (lake, world, workers) to one `Operation` that assets and
checks share. Does not belong here: what world.yaml may say (`settings`), who writes (`production`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from telco_pipeline.counterfactuals import Counterfactual, counterfactual, held_config
from telco_pipeline.errors import TelcoError
from telco_pipeline.integrity import Finding
from telco_pipeline.lake import Lake
from telco_pipeline.scenarios.loading import ALL, NONE, load_operator
from telco_pipeline.settings import Settings, WorldConfig

if TYPE_CHECKING:
    from telco_pipeline.production import PartitionReport

MAIN_WORLD = "main"


@dataclass(frozen=True)
class Operation:
    """One operator at work: a world, a lake, and how the work is done.

    Attributes:
        config: The world, with the scenario layers that are on.
        lake: Where its partitions lie, under the world's name.
        workers: Processes that make records.
        shards: Parts of a day's work; None leaves the choice to production.
        replace: Remove the partitions of another world that lies in the lake.
        overlays: Of a world that holds only what differs: hash of the main world beneath it.
        paired: The counterfactual that the world is; None for any other world.
        checked: Whether the partitions of another world are checked as they are made.
        on_progress: Told of each partition as it is made, in this process.
        on_finding: Told of each result of a check, in this process.
    """

    config: WorldConfig
    lake: Lake
    workers: int = 1
    shards: int | None = None
    replace: bool = False
    overlays: str | None = None
    paired: Counterfactual | None = None
    checked: bool = True
    on_progress: Callable[["PartitionReport"], None] | None = None
    on_finding: Callable[[Finding], None] | None = None

    @property
    def main(self) -> bool:
        """Whether this is the world of world.yaml, whose partitions Dagster keeps book of."""
        return self.lake.world == MAIN_WORLD


class OperatorConfig(dg.Config):
    """Run configuration of the operator: by default that of world.yaml, on all cores."""

    lake: str | None = Field(
        default=None,
        description="Directory of the lake; empty: TELCO_LAKE, or data/lake.",
    )
    world: str = Field(
        default=MAIN_WORLD,
        description="Name of the world. Any but `main` lies under _worlds/<name>/ in the lake and "
        "needs the job `what_if`; the main world's partitions stay as they are.",
    )
    seed: int | None = Field(default=None, description="Another seed; not for the main world.")
    subscribers: int | None = Field(
        default=None, description="Another number of subscribers; not for the main world."
    )
    layers: list[str] = Field(
        default=[ALL],
        description="Scenario layers that are on: [all] (those that their files enable), [none], "
        "or names of scenarios/layers; not for the main world, which has all.",
    )
    without: list[str] = Field(
        default=[],
        description="For the job `counterfactual`: layers that the main world in the lake has and "
        "its counterfactual does not, or [all]. It has the same seed and size, and a name of its "
        "own, so leave out `world`, `seed`, `subscribers` and `layers`.",
    )
    workers: int | None = Field(
        default=None, description="Processes that make records; empty: TELCO_WORKERS, or all cores."
    )
    shards: int | None = Field(
        default=None, description="Parts of a day's work; changes no row. Empty: as many as fit."
    )
    replace: bool = Field(
        default=False, description="Remove the partitions of another world that lies in the lake."
    )

    def operation(self) -> Operation:
        """Build the operator from the environment, world.yaml and these values."""
        settings = Settings.from_env()
        if self.without:
            return self._counterfactual(settings)
        overrides = {"seed": self.seed, "subscribers": self.subscribers}
        chosen = {name: value for name, value in overrides.items() if value is not None}
        if chosen and self.world == MAIN_WORLD:
            raise TelcoError(
                f"{', '.join(chosen)} would change the main world of {settings.world_file}: "
                "give the run another `world` name, or change the file"
            )
        config = load_operator(settings.world_file, self.layers or [NONE], **chosen)
        if self.world == MAIN_WORLD and self.layers != [ALL]:
            self._refuse_other_layers(config, settings.world_file)
        return Operation(
            config=config,
            lake=Lake(self.lake or settings.lake, world=self.world),
            workers=self.workers or settings.workers,
            shards=self.shards,
            replace=self.replace,
        )

    def _counterfactual(self, settings: Settings) -> Operation:
        """Build the operator of the main world in the lake, without some layers."""
        told = {
            "world": self.world != MAIN_WORLD,
            "seed": self.seed is not None,
            "subscribers": self.subscribers is not None,
            "layers": self.layers != [ALL],
        }
        if any(told.values()):
            raise TelcoError(
                f"`without` takes the main world that lies in the lake, so "
                f"{', '.join(name for name, given in told.items() if given)} cannot be given too: "
                "leave it out, or leave out `without` and launch the job `what_if`"
            )
        main = Lake(self.lake or settings.lake)
        config, days = held_config(main), main.days("network_state")
        made = counterfactual(config, self.without, days[-1] if days else config.epoch)
        return Operation(
            config=made.config,
            lake=Lake(main.root, world=made.name),
            workers=self.workers or settings.workers,
            shards=self.shards,
            replace=True,
            overlays=config.world_hash,
            paired=made,
        )

    def _refuse_other_layers(self, config: WorldConfig, world_file: Path) -> None:
        """Refuse layers that make another world than the main one."""
        if config.world_hash != load_operator(world_file).world_hash:
            raise TelcoError(
                f"layers [{', '.join(self.layers)}] would change the main world of {world_file}: "
                "give the run another `world` name, or turn layers on and off with "
                "`telco scenarios on` and `off`"
            )


@dg.resource(
    config_schema=OperatorConfig.to_config_schema(),
    description="The operator of world.yaml, or by run configuration another world beside it.",
)
def operator(context: dg.InitResourceContext) -> Operation:
    """Build the operator that a run works for; wrong values end the run in one clear line."""
    try:
        return OperatorConfig(**context.resource_config).operation()
    except TelcoError as error:
        never_again(context)
        raise dg.Failure(description=str(error), allow_retries=False) from error


def never_again(context: dg.InitResourceContext | dg.AssetExecutionContext) -> None:
    """Keep Dagster from running a run again that would fail the same way, or do something twice.

    What resources raise counts as a fault of the process, not of a step, so `allow_retries` does
    not hold for it.
    """
    run = context.run
    if context.instance and run and context.instance.has_run(run.run_id):
        context.instance.add_run_tags(run.run_id, {"dagster/max_retries": "0"})
