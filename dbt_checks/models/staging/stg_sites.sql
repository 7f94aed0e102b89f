-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    site_id,
    place_id,
    latitude,
    longitude,
    ground_altitude,
    vendor,
    router_id,
    built
from {{ dataset('sites') }}
