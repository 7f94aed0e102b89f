-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    file_id,
    {{ utc('event_time') }} as event_time,
    element_id,
    dataset,
    file_name,
    sequence_number,
    {{ utc('closed') }} as closed,
    {{ utc('received') }} as received,
    record_count,
    file_length,
    {{ utc('first_event_time') }} as first_event_time,
    {{ utc('last_event_time') }} as last_event_time,
    checksum
from {{ dataset('collected_files') }}
where {{ in_window('day') }}
