"""Assets: for each dataset, scenario layer, topic, table and dbt view one, and the realism report.

Beside them stand the jobs of paired worlds, whose days are no partitions of the main one, and of
the live stream.

Belongs here: what Dagster is told of a dataset, and the step that has it made. Does not belong
here: what is in it (`world`, `generators`), how it is written (`production`), what must be true
of it (`checks`).
"""

from telco_pipeline.assets.counterfactual import build_counterfactual
from telco_pipeline.assets.dbt import build_dbt
from telco_pipeline.assets.deliveries import build_deliveries
from telco_pipeline.assets.factory import build_asset
from telco_pipeline.assets.history import build_history
from telco_pipeline.assets.layers import build_layers
from telco_pipeline.assets.live import build_live
from telco_pipeline.assets.realism import build_report
from telco_pipeline.assets.warehouse import build_loads

__all__ = [
    "build_asset",
    "build_counterfactual",
    "build_dbt",
    "build_deliveries",
    "build_history",
    "build_layers",
    "build_live",
    "build_loads",
    "build_report",
]
