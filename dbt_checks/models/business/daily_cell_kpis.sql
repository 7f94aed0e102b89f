-- Key figures of each cell and day from its counters (TS 32.450, TS 28.554: accessibility,
-- retainability, mobility, availability).
with counted as (
    select day, cell_id, count(*) as quarters,
        sum(rrc_conn_estab_att) as rrc_attempts, sum(rrc_conn_estab_succ) as rrc_successes,
        sum(erab_estab_att) as bearer_attempts, sum(erab_estab_succ) as bearer_successes,
        sum(erab_rel) as bearer_releases, sum(erab_rel_abnormal) as bearer_drops,
        sum(voice_att) as voice_attempts, sum(voice_blocked) as voice_blocked,
        sum(voice_drop) as voice_drops,
        sum(ho_exe_att) as handover_attempts, sum(ho_exe_succ) as handover_successes,
        sum(pdcp_volume_ul) as uplink_bytes, sum(pdcp_volume_dl) as downlink_bytes,
        sum(prb_used_dl) as prb_used, sum(prb_tot_dl) as prb_total,
        sum(cell_unavailable_time) as unavailable_seconds
    from {{ ref('stg_pm_counters') }}
    group by day, cell_id
)

select
    counted.day,
    counted.cell_id,
    cells.site_id,
    cells.rat_type,
    cells.cell_class,
    places.name as place,
    places.region,
    cast(counted.rrc_attempts as bigint) as rrc_attempts,
    {{ share('counted.rrc_successes', 'counted.rrc_attempts') }} as rrc_success_rate,
    {{ share('counted.bearer_successes', 'counted.bearer_attempts') }} as bearer_success_rate,
    {{ share('counted.bearer_drops', 'counted.bearer_releases') }} as bearer_drop_rate,
    cast(counted.voice_attempts as bigint) as voice_attempts,
    {{ share('counted.voice_blocked', 'counted.voice_attempts') }} as voice_block_rate,
    cast(counted.voice_drops as bigint) as voice_drops,
    {{ share('counted.handover_successes', 'counted.handover_attempts') }} as handover_success_rate,
    {{ share('counted.uplink_bytes', 1000000000, 6) }} as uplink_gb,
    {{ share('counted.downlink_bytes', 1000000000, 6) }} as downlink_gb,
    {{ share('counted.prb_used', 'counted.prb_total') }} as prb_use,
    1 - {{ share('counted.unavailable_seconds', '(900 * counted.quarters)') }} as availability
from counted
left join {{ ref('stg_cells') }} as cells on cells.cell_id = counted.cell_id
left join {{ ref('stg_sites') }} as sites on sites.site_id = cells.site_id
left join {{ ref('stg_places') }} as places on places.place_id = sites.place_id
