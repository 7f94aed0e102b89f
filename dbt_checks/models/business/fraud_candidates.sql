-- Whom a fraud desk would look at first: simple rules over records that anybody at the operator can
-- see, each with its figure and its threshold. Candidates, not culprits: docs/detectors.md tells how
-- well detectors do.
{% set sims, device_calls, unanswered, abroad_hours, called = 4, 100, 8, 1, 60 %}
with outgoing as (
    select day, event_time, subscriber_id, imsi, imei, called_number, call_duration,
        called_number not like '+32%' and called_number like '+%' as foreign_number
    from {{ ref('stg_cdrs_voice') }}
    where record_type = 'moCallRecord'
),

incoming as (
    select day, subscriber_id, calling_number, call_duration
    from {{ ref('stg_cdrs_voice') }}
    where record_type = 'mtCallRecord'
),

found as (
    -- Many SIMs in one device that only calls: a SIM box.
    select 'SIM box' as rule, 'equipment' as entity_kind, imei as entity, min(day) as first_day,
        max(day) as last_day, cast(count(distinct imsi) as double precision) as figure,
        {{ sims }} as threshold, 'SIMs in the device' as meaning
    from outgoing
    group by imei
    having count(distinct imsi) >= {{ sims }} and count(*) >= {{ device_calls }}
    union all
    -- Calls that ring once, so that one calls back.
    select 'wangiri', 'number', calling_number, min(day), max(day), cast(max(victims) as double precision),
        {{ unanswered }}, 'subscribers called in a day without answer'
    from (
        select day, calling_number, count(distinct subscriber_id) as victims
        from incoming
        where call_duration = 0 and calling_number like '+%' and calling_number not like '+32%'
        group by day, calling_number
    ) as callers
    where victims >= {{ unanswered }}
    group by calling_number
    union all
    -- Hours to numbers abroad in a day: revenue share, or a subscription that nobody will pay.
    select 'calls abroad', 'subscriber', cast(subscriber_id as text), min(day), max(day),
        cast(max(hours) as double precision), {{ abroad_hours }}, 'hours to numbers abroad in a day'
    from (
        select day, subscriber_id, sum(call_duration) / 3600.0 as hours
        from outgoing
        where foreign_number
        group by day, subscriber_id
    ) as callers
    where hours >= {{ abroad_hours }}
    group by subscriber_id
    union all
    -- Calls many and is called by nobody.
    select 'one-way caller', 'subscriber', cast(outgoing_days.subscriber_id as text), min(outgoing_days.day),
        max(outgoing_days.day), cast(max(outgoing_days.numbers) as double precision), {{ called }},
        'numbers called in a day, called back by under a tenth'
    from (
        select day, subscriber_id, count(distinct called_number) as numbers
        from outgoing
        group by day, subscriber_id
    ) as outgoing_days
    left join (
        select day, subscriber_id, count(*) as calls from incoming group by day, subscriber_id
    ) as incoming_days
        on incoming_days.day = outgoing_days.day
        and incoming_days.subscriber_id = outgoing_days.subscriber_id
    where outgoing_days.numbers >= {{ called }} and coalesce(incoming_days.calls, 0) * 10 < outgoing_days.numbers
    group by outgoing_days.subscriber_id
    union all
    -- A new SIM card, and days later its owner tells of fraud: the account was taken over.
    select 'taken over', 'subscriber', cast(swaps.subscriber_id as text), min(swaps.day), max(contacts.day),
        cast(count(*) as double precision), 1, 'contacts about fraud within nine days of a SIM swap'
    from {{ ref('stg_identity_changes') }} as swaps
    join {{ ref('stg_customer_service') }} as contacts
        on contacts.subscriber_id = swaps.subscriber_id
        and contacts.reason = 'fraud'
        and contacts.event_time between swaps.event_time and swaps.event_time + interval '9 days'
    where swaps.change_type = 'sim_swap'
    group by swaps.subscriber_id
)

select rule, entity_kind, entity, first_day, last_day, round(cast(figure as numeric(18, 4)), 2) as figure,
    threshold, meaning
from found
