select legs.day, legs.event_id, legs.icid
from {{ ref('stg_cdrs_voip') }} as legs
left join (select distinct icid from {{ ref('stg_cdrs_voice') }}) as calls on calls.icid = legs.icid
where {{ all_held(['cdrs_voip', 'cdrs_voice']) }}
    and legs.access <> 'SIP trunk' and calls.icid is null
