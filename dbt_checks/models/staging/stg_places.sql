-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    place_id,
    name,
    region,
    language,
    latitude,
    longitude,
    population,
    postal_code,
    density
from {{ dataset('places') }}
