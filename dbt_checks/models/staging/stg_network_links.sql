-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    link_id,
    a_element_id,
    b_element_id,
    interface,
    capacity
from {{ dataset('network_links') }}
