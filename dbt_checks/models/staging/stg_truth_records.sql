-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    dataset,
    event_id,
    incident_id,
    stage,
    role,
    {{ utc('event_time') }} as event_time,
    effects,
    benign
from {{ dataset('truth_records') }}
where {{ in_window('day') }}
