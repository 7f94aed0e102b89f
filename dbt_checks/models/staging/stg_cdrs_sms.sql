-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    event_id,
    {{ utc('event_time') }} as event_time,
    record_type,
    subscriber_id,
    imsi,
    msisdn,
    imei,
    calling_number,
    called_number,
    other_plmn,
    message_reference,
    service_centre,
    recording_entity,
    cell_id,
    rat_type,
    segments,
    message_size,
    sms_result,
    chargeable,
    roaming,
    visited_plmn,
    roaming_country,
    visited_cell
from {{ dataset('cdrs_sms') }}
where {{ in_window('day') }}
