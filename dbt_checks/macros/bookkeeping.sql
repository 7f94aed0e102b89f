{# What was recorded of each partition when it was written to the lake, or loaded. #}
{% macro recorded_partitions() %}{{ return(adapter.dispatch('recorded_partitions')()) }}{% endmacro %}

{% macro duckdb__recorded_partitions() %}
  {% set statics, dailies = [], [] %}
  {% if execute %}
    {% for name in held_datasets(all_datasets()) %}
      {% do (dailies if source_is_daily(name) else statics).append(
          "'" ~ quoted(lake()) ~ '/' ~ name ~ ('/day=*' if source_is_daily(name) else '') ~ "/_provenance.json'") %}
    {% endfor %}
  {% endif %}
  {% set columns = "{dataset: 'varchar', day: 'date', rows: 'bigint', contract_version: 'integer', world_hash: 'varchar', seed: 'bigint', content_hash: 'varchar'}" %}
  select dataset, day, rows as row_count, contract_version, world_hash, seed, content_hash
  from read_json([{{ (statics + dailies) | join(', ') }}], columns = {{ columns }})
  where day is null or {{ in_window('day') }}
{% endmacro %}

{# The ledger holds other tables too, and a day before all others for datasets without days. #}
{% macro default__recorded_partitions() %}
  select dataset, nullif(day, date '0001-01-01') as day, rows as row_count, contract_version,
    world_hash, seed, content_hash
  from {{ ledger() }}
  where dataset in ({{ quoted_datasets() }})
    and (day = date '0001-01-01' or {{ in_window('day') }})
{% endmacro %}

{% macro ledger() %}{{ return(source('telco', 'cells').schema ~ '.telco_loads') }}{% endmacro %}

{% macro quoted_datasets() %}
  {{- return("'" ~ (all_datasets() if execute else []) | join("', '") ~ "'") -}}
{% endmacro %}
