-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    device_id,
    brand,
    model,
    released,
    device_class,
    best_rat,
    volte,
    dual_sim,
    tac_first,
    tac_last,
    price
from {{ dataset('devices') }}
