-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    element_id,
    element_type,
    name,
    vendor,
    site_id,
    place_id,
    address,
    software,
    installed
from {{ dataset('network_elements') }}
