-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    event_id,
    {{ utc('event_time') }} as event_time,
    subscriber_id,
    msisdn,
    case_id,
    contact_number,
    channel,
    reason,
    topic,
    language,
    queue_seconds,
    handling_seconds,
    agent_id,
    sentiment,
    resolution,
    credit,
    nps,
    cause_fault_id,
    cause_cell_id,
    {{ utc('cause_time') }} as cause_time,
    call_reference,
    note
from {{ dataset('customer_service') }}
where {{ in_window('day') }}
