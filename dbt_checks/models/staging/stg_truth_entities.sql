-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    incident_id,
    stage,
    role,
    entity_kind,
    entity_id,
    subscriber_id,
    cell_id,
    element_id,
    site_id,
    {{ utc('event_time') }} as event_time,
    {{ utc('end_time') }} as end_time,
    effects,
    benign
from {{ dataset('truth_entities') }}
where {{ in_window('day') }}
