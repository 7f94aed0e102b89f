-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    event_id,
    {{ utc('event_time') }} as event_time,
    element_id,
    facility,
    severity,
    hostname,
    app_name,
    msg_id,
    structured_data,
    message,
    line
from {{ dataset('network_logs') }}
where {{ in_window('day') }}
