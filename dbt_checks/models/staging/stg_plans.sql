-- Written from the contracts by `python -m telco_pipeline.contracts.dbt`; do not edit.
select
    plan_id,
    name,
    payment,
    segment,
    monthly_fee,
    voice_seconds,
    messages,
    data_bytes,
    voice_price,
    message_price,
    data_price,
    qci,
    s_nssai,
    access_point_name,
    offered_from
from {{ dataset('plans') }}
