-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    cell_id,
    {{ utc('event_time') }} as event_time,
    status,
    unavailable_from,
    unavailable_until,
    fault_id,
    active_users,
    demand,
    capacity,
    load,
    prb_use,
    throughput_factor,
    latency_added,
    loss_added,
    block_probability,
    drop_probability,
    handover_failure,
    voice_failure,
    data_failure,
    signalling_failure
from {{ dataset('network_state') }}
where {{ in_window('day') }}
