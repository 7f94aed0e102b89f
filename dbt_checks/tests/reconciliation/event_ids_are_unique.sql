-- Shown with the partitions: depends_on: {{ ref('partitions') }}
{% set datasets = ['cdrs_voice', 'cdrs_sms', 'cdrs_data', 'cdrs_voip', 'cdrs_ims', 'location_updates',
    'identity_changes', 'alarms', 'network_logs', 'customer_service'] %}
select event_id, count(*) as row_count, min(dataset) as dataset, max(dataset) as other_dataset
from (
    {%- for name in datasets %}
    select event_id, '{{ name }}' as dataset from {{ ref('stg_' ~ name) }}
    {%- if not loop.last %} union all{% endif %}
    {%- endfor %}
) as records
group by event_id
having count(*) > 1
