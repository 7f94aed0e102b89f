-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    event_id,
    {{ utc('event_time') }} as event_time,
    subscriber_id,
    imsi,
    imei,
    update_type,
    cell_id,
    rat_type,
    tac,
    previous_tac,
    timing_advance,
    recording_entity,
    cause
from {{ dataset('location_updates') }}
where {{ in_window('day') }}
