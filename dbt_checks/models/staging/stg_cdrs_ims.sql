-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    event_id,
    {{ utc('event_time') }} as event_time,
    record_type,
    subscriber_id,
    imsi,
    sip_method,
    role_of_node,
    session_id,
    icid,
    calling_party_address,
    called_party_address,
    recording_entity,
    cell_id,
    access_network_information,
    {{ utc('delivery_start_time') }} as delivery_start_time,
    {{ utc('delivery_end_time') }} as delivery_end_time,
    sip_response,
    codec
from {{ dataset('cdrs_ims') }}
where {{ in_window('day') }}
