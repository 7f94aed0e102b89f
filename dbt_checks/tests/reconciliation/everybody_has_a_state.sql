select days.day, subscribers.subscriber_id
from (select distinct day from {{ ref('partitions') }} where dataset = 'subscriber_state') as days
cross join {{ ref('stg_subscribers') }} as subscribers
left join {{ ref('stg_subscriber_state') }} as states
    on states.day = days.day and states.subscriber_id = subscribers.subscriber_id
where {{ all_held(['subscribers', 'subscriber_state']) }} and states.subscriber_id is null
