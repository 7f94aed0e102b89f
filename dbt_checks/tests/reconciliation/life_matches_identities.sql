with decided as (
    select day, subscriber_id, replace(replace(change, 'port-out', 'port_out'), 'win-back', 'win_back') as change
    from {{ ref('stg_subscriber_state') }}
    where change in ('activation', 'port-out', 'termination', 'win-back')
),

told as (
    select day, subscriber_id, change_type as change
    from {{ ref('stg_identity_changes') }}
    where change_type in ('activation', 'port_out', 'termination', 'win_back')
)

select coalesce(decided.day, told.day) as day,
    coalesce(decided.subscriber_id, told.subscriber_id) as subscriber_id,
    decided.change as by_state, told.change as by_identities
from decided
full join told
    on told.day = decided.day and told.subscriber_id = decided.subscriber_id
    and told.change = decided.change
where {{ all_held(['subscriber_state', 'identity_changes']) }}
    and (decided.change is null or told.change is null)
