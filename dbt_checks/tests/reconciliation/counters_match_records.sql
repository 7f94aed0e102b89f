with legs as (
    select day, cell_id, blocked, cast(handovers as bigint) as handovers, handovers_failed,
        rat_type in ('EUTRAN', 'NR', 'LTE-M', 'NB-IoT') as packet
    from {{ ref('stg_cdrs_voice') }}
    where cell_id is not null and rat_type <> 'WLAN'
),

sessions as (
    select day, cell_id, cast(handovers as bigint) as handovers, handovers_failed,
        case when record_sequence_number = 1 then 1 else 0 end as opened
    from {{ ref('stg_cdrs_data') }}
    where cell_id is not null and rat_type <> 'WLAN'
),

addends as (
    select day, cell_id, count(*) as rrc, count(*) filter (where packet) as erab, count(*) as voice,
        count(*) filter (where blocked) as blocked, sum(handovers + handovers_failed) as ho_att,
        sum(handovers) as ho_succ
    from legs
    group by day, cell_id
    union all
    select day, cell_id, sum(opened), sum(opened), 0, 0, sum(handovers + handovers_failed), sum(handovers)
    from sessions
    group by day, cell_id
    union all
    select day, cell_id, count(*), 0, 0, 0, 0, 0
    from {{ ref('stg_cdrs_sms') }}
    where cell_id is not null and rat_type <> 'WLAN'
    group by day, cell_id
    union all
    select day, cell_id, count(*), 0, 0, 0, 0, 0
    from {{ ref('stg_location_updates') }}
    where cell_id is not null and rat_type <> 'WLAN' and update_type <> 'detach'
    group by day, cell_id
),

records as (
    select day, cell_id, sum(rrc) as rrc, sum(erab) as erab, sum(voice) as voice,
        sum(blocked) as blocked, sum(ho_att) as ho_att, sum(ho_succ) as ho_succ
    from addends
    group by day, cell_id
),

counters as (
    select day, cell_id, sum(rrc_conn_estab_att) as rrc, sum(erab_estab_att) as erab,
        sum(voice_att) as voice, sum(voice_blocked) as blocked, sum(ho_exe_att) as ho_att,
        sum(ho_exe_succ) as ho_succ
    from {{ ref('stg_pm_counters') }}
    group by day, cell_id
)

select coalesce(counters.day, records.day) as day, coalesce(counters.cell_id, records.cell_id) as cell_id
    {%- for name in ['rrc', 'erab', 'voice', 'blocked', 'ho_att', 'ho_succ'] %},
    counters.{{ name }} as {{ name }}_counted, records.{{ name }} as {{ name }}_in_records
    {%- endfor %}
from counters
full join records on records.day = counters.day and records.cell_id = counters.cell_id
where {{ all_held(['pm_counters', 'cdrs_voice', 'cdrs_sms', 'cdrs_data', 'location_updates']) }}
    and (1 = 0
    {%- for name in ['rrc', 'erab', 'voice', 'blocked', 'ho_att', 'ho_succ'] %}
    or coalesce(counters.{{ name }}, 0) <> coalesce(records.{{ name }}, 0)
    {%- endfor %})
