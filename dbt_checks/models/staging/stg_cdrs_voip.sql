-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    event_id,
    {{ utc('event_time') }} as event_time,
    record_type,
    subscriber_id,
    imsi,
    msisdn,
    calling_party_address,
    called_party_address,
    role,
    icid,
    chargeable,
    access,
    recording_entity,
    cell_id,
    codec,
    {{ utc('answer_time') }} as answer_time,
    {{ utc('release_time') }} as release_time,
    call_duration,
    sip_response,
    packet_loss,
    jitter,
    latency,
    mos
from {{ dataset('cdrs_voip') }}
where {{ in_window('day') }}
