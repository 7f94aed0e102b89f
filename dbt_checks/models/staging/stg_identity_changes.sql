-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    event_id,
    {{ utc('event_time') }} as event_time,
    subscriber_id,
    change_type,
    imsi,
    msisdn,
    imei,
    iccid,
    device_id,
    number_holder,
    serving_plmn,
    previous_imsi,
    previous_msisdn,
    previous_imei
from {{ dataset('identity_changes') }}
where {{ in_window('day') }}
