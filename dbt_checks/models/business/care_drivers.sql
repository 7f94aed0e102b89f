-- What customers turn to care about in a month, what it takes, and how it ends.
with contacts as (
    select cast(date_trunc('month', day) as date) as month, *
    from {{ ref('stg_customer_service') }}
),

customers as (
    select month, count(*) as customers from {{ ref('customer_months') }} group by month
)

select contacts.month, contacts.reason, contacts.topic,
    count(*) as contacts,
    count(distinct contacts.subscriber_id) as people,
    {{ share('count(*)', 'sum(count(*)) over (partition by contacts.month)') }} as share_of_contacts,
    {{ share('1000 * count(*)', 'max(customers.customers)', 2) }} as per_1000_customers,
    {{ share('count(*) filter (where contacts.contact_number > 1)', 'count(*)') }} as repeated,
    {{ share("count(*) filter (where contacts.resolution = 'solved')", 'count(*)') }} as solved,
    {{ share("count(*) filter (where contacts.resolution = 'escalated')", 'count(*)') }} as escalated,
    {{ share("count(*) filter (where contacts.resolution = 'abandoned')", 'count(*)') }} as abandoned,
    {{ share('sum(contacts.queue_seconds)', 'count(*)', 0) }} as mean_queue_seconds,
    {{ share('sum(contacts.handling_seconds)', 'count(*)', 0) }} as mean_handling_seconds,
    {{ share('sum(contacts.nps)', 'count(contacts.nps)', 1) }} as mean_nps,
    {{ euro('sum(contacts.credit)') }} as credit
from contacts
left join customers on customers.month = contacts.month
group by contacts.month, contacts.reason, contacts.topic
