-- Who was a customer in which month, for how many days, and on which plan at its end: what a
-- register of customers tells. Of the state nothing else is taken, for nobody could have seen it.
{{ config(materialized='view') }}
with days as (
    select cast(date_trunc('month', day) as date) as month, subscriber_id, day, plan_id
    from {{ ref('stg_subscriber_state') }}
    where status in ('active', 'suspended')
),

months as (
    select month, subscriber_id, count(*) as days, max(day) as last_day
    from days
    group by month, subscriber_id
)

select months.month, months.subscriber_id, months.days, days.plan_id, plans.segment,
    cast(extract(day from months.month + interval '1 month' - interval '1 day') as integer) as month_days
from months
join days on days.subscriber_id = months.subscriber_id and days.day = months.last_day
left join {{ ref('stg_plans') }} as plans on plans.plan_id = days.plan_id
