-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    event_id,
    {{ utc('event_time') }} as event_time,
    notification_type,
    alarm_id,
    element_id,
    cell_id,
    managed_object_class,
    managed_object_instance,
    event_type,
    probable_cause,
    specific_problem,
    perceived_severity,
    {{ utc('raised_time') }} as raised_time,
    {{ utc('cleared_time') }} as cleared_time,
    threshold_info,
    correlated_alarm_id,
    root_cause,
    ack_state,
    ack_user,
    repeat_count,
    additional_text
from {{ dataset('alarms') }}
where {{ in_window('day') }}
