-- Usage and expected spend of each plan and month: the fee, and what was used beyond the allowance at
-- the catalogue's prices. Fees and allowances count by the days of the month that were looked at, so
-- a whole month is a bill and a part of one the same part of it. What exceeds the allowance counts at
-- its full price in `beyond_allowance` and with at most 20 euro a month in the expected
-- spend: nobody pays more before he changes the plan, as the state of subscribers has it too. Other
-- prices than the plan's (abroad, premium numbers) are not in the catalogue.
{% set most_beyond = 20 %}
with used as (
    select cast(date_trunc('month', day) as date) as month, subscriber_id, call_duration as seconds,
        0 as messages, cast(0 as bigint) as bytes
    from {{ ref('stg_cdrs_voice') }}
    where chargeable
    union all
    select cast(date_trunc('month', day) as date), subscriber_id, 0, 1, 0
    from {{ ref('stg_cdrs_sms') }}
    where chargeable
    union all
    select cast(date_trunc('month', day) as date), subscriber_id, 0, 0,
        data_volume_uplink + data_volume_downlink
    from {{ ref('stg_cdrs_data') }}
    where chargeable
),

usage as (
    select month, subscriber_id, sum(seconds) as seconds, sum(messages) as messages, sum(bytes) as bytes
    from used
    group by month, subscriber_id
),

customers as (
    select customers.month, customers.plan_id, customers.days,
        cast(customers.days as double precision) / customers.month_days as part,
        cast(coalesce(usage.seconds, 0) as double precision) as seconds,
        cast(coalesce(usage.messages, 0) as double precision) as messages,
        cast(coalesce(usage.bytes, 0) as double precision) as bytes
    from {{ ref('customer_months') }} as customers
    left join usage on usage.month = customers.month and usage.subscriber_id = customers.subscriber_id
),

priced as (
    select customers.month, plans.plan_id, plans.name, plans.payment, plans.segment, customers.days,
        customers.part, customers.seconds, customers.messages, customers.bytes,
        customers.part * plans.monthly_fee as fee,
        -- No allowance: unlimited.
        case when customers.seconds > plans.voice_seconds * customers.part
            then (customers.seconds - plans.voice_seconds * customers.part) / 60 * plans.voice_price
            else 0 end as voice_beyond,
        case when customers.messages > plans.messages * customers.part
            then (customers.messages - plans.messages * customers.part) * plans.message_price
            else 0 end as messages_beyond,
        case when customers.bytes > plans.data_bytes * customers.part
            then (customers.bytes - plans.data_bytes * customers.part) / 1000000 * plans.data_price
            else 0 end as data_beyond
    from customers
    join {{ ref('stg_plans') }} as plans on plans.plan_id = customers.plan_id
),

spent as (
    select *, voice_beyond + messages_beyond + data_beyond as beyond,
        fee + case when payment = 'wholesale' then voice_beyond + messages_beyond + data_beyond
            else least(voice_beyond + messages_beyond + data_beyond, {{ most_beyond }} * 1000000 * part)
            end as spend
    from priced
)

select month, plan_id, name, payment, segment,
    count(*) as customers,
    cast(sum(days) as bigint) as customer_days,
    {{ share('sum(seconds)', 60, 1) }} as voice_minutes,
    cast(sum(messages) as bigint) as messages,
    {{ share('sum(bytes)', 1000000000, 3) }} as data_gb,
    {{ euro('sum(fee)') }} as fees,
    {{ euro('sum(beyond)') }} as beyond_allowance,
    {{ euro('sum(spend)') }} as expected_spend,
    {{ share('sum(spend)', '(1000000 * count(*))', 2) }} as spend_per_customer
from spent
group by month, plan_id, name, payment, segment
