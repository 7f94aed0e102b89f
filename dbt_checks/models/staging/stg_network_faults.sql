-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    fault_id,
    {{ utc('event_time') }} as event_time,
    {{ utc('impact_time') }} as impact_time,
    {{ utc('end_time') }} as end_time,
    fault_kind,
    element_id,
    cell_id,
    cells,
    capacity_left,
    failure_rate,
    probable_cause
from {{ dataset('network_faults') }}
where {{ in_window('day') }}
