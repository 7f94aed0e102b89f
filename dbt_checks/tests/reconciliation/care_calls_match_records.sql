select contacts.event_id, contacts.call_reference, contacts.queue_seconds, contacts.handling_seconds,
    calls.call_duration
from {{ ref('stg_customer_service') }} as contacts
left join {{ ref('stg_cdrs_voice') }} as calls
    on calls.call_reference = contacts.call_reference
    and calls.day = contacts.day
    and calls.record_type = 'moCallRecord'
where {{ all_held(['customer_service', 'cdrs_voice']) }}
    and contacts.channel = 'call'
    and (calls.call_reference is null
        or calls.call_duration <> contacts.queue_seconds + contacts.handling_seconds)
