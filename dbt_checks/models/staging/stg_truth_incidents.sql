-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    incident_id,
    {{ utc('event_time') }} as event_time,
    {{ utc('end_time') }} as end_time,
    layer,
    title,
    incident_kind,
    severity,
    difficulty,
    subscribers,
    cells,
    elements,
    look_alikes,
    parameters
from {{ dataset('truth_incidents') }}
where {{ in_window('day') }}
