-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    subscriber_id,
    other_subscriber_id,
    tie_kind,
    weight,
    distance_km
from {{ dataset('social_ties') }}
