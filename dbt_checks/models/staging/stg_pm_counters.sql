-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    cell_id,
    {{ utc('event_time') }} as event_time,
    rrc_conn_estab_att,
    rrc_conn_estab_succ,
    erab_estab_att,
    erab_estab_succ,
    erab_rel,
    erab_rel_abnormal,
    erab_session_time,
    voice_att,
    voice_blocked,
    voice_drop,
    ho_exe_att,
    ho_exe_succ,
    pdcp_volume_ul,
    pdcp_volume_dl,
    prb_used_dl,
    prb_tot_dl,
    cell_unavailable_time
from {{ dataset('pm_counters') }}
where {{ in_window('day') }}
