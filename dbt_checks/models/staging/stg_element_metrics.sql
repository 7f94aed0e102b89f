-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    day,
    element_id,
    {{ utc('event_time') }} as event_time,
    cpu_use,
    memory_use,
    throughput,
    active_sessions,
    packet_loss,
    latency,
    jitter,
    capacity_used,
    bandwidth_left
from {{ dataset('element_metrics') }}
where {{ in_window('day') }}
