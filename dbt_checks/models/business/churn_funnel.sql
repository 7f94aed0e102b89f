-- How customers of each segment go in a month: who turned to care, who was not helped, who spoke of
-- leaving, who left and who came back. Each step counts customers, each of them once.
with contacts as (
    select cast(date_trunc('month', day) as date) as month, subscriber_id,
        max(case when resolution in ('escalated', 'abandoned') or sentiment < 0 then 1 else 0 end) as unhappy,
        max(case when reason = 'cancellation' or topic = 'leaving' then 1 else 0 end) as leaving,
        min(event_time) as first_time
    from {{ ref('stg_customer_service') }}
    group by 1, 2
),

changes as (
    select cast(date_trunc('month', day) as date) as month, subscriber_id,
        max(case when change_type in ('termination', 'port_out') then 1 else 0 end) as left_us,
        max(case when change_type = 'port_out' then 1 else 0 end) as ported,
        max(case when change_type = 'win_back' then 1 else 0 end) as won_back,
        max(case when change_type in ('termination', 'port_out') then event_time end) as left_time
    from {{ ref('stg_identity_changes') }}
    group by 1, 2
)

select customers.month, customers.segment,
    count(*) as customers,
    count(contacts.subscriber_id) as turned_to_care,
    cast(coalesce(sum(contacts.unhappy), 0) as bigint) as not_helped,
    cast(coalesce(sum(contacts.leaving), 0) as bigint) as spoke_of_leaving,
    cast(coalesce(sum(changes.left_us), 0) as bigint) as left_us,
    cast(coalesce(sum(changes.ported), 0) as bigint) as took_their_number,
    count(*) filter (where changes.left_us = 1 and contacts.first_time < changes.left_time) as left_after_contact,
    cast(coalesce(sum(changes.won_back), 0) as bigint) as won_back,
    {{ share('coalesce(sum(changes.left_us), 0)', 'count(*)') }} as churn_rate
from {{ ref('customer_months') }} as customers
left join contacts
    on contacts.month = customers.month and contacts.subscriber_id = customers.subscriber_id
left join changes
    on changes.month = customers.month and changes.subscriber_id = customers.subscriber_id
group by customers.month, customers.segment
