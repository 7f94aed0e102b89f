{# Where the rows come from, and which days are looked at. #}

{% macro lake() %}
  {{ return(var('lake', none) or env_var('TELCO_LAKE', '') or '../data/lake') }}
{% endmacro %}

{# The source of a dataset, or rows of none with the contract's columns where it is not there. #}
{% macro dataset(name) %}
  {%- set there = source('telco', name) -%}
  {%- if not execute or held(name) -%}
    {{ there }}
  {%- else -%}
    (select
    {%- for column in model.columns.values() %}
      cast(null as {{ column.data_type }}{{ ' with time zone' if target.type == 'duckdb' and column.data_type == 'timestamp' }}) as {{ column.name }}{{ ',' if not loop.last }}
    {%- endfor %}
    where 1 = 0) as nothing
  {%- endif -%}
{% endmacro %}

{# Whether the lake or the warehouse holds a dataset. #}
{% macro held(name) %}
  {{ return(name in held_datasets([name])) }}
{% endmacro %}

{# Those of the datasets that are held: there is a file, or a table. #}
{% macro held_datasets(names) %}
  {{ return(adapter.dispatch('held_datasets')(names)) }}
{% endmacro %}

{% macro duckdb__held_datasets(names) %}
  {% set found = [] %}
  {% for name in names %}
    {% set days = 'day=*/' if source_is_daily(name) else '' %}
    {% set query %}select 1 from glob('{{ quoted(lake()) }}/{{ name }}/{{ days }}*.parquet') limit 1{% endset %}
    {% if run_query(query).rows | length %}{% do found.append(name) %}{% endif %}
  {% endfor %}
  {{ return(found) }}
{% endmacro %}

{% macro default__held_datasets(names) %}
  {% set found = [] %}
  {% for row in run_query(
      "select table_name from information_schema.tables where table_schema = '"
      ~ quoted(source('telco', 'cells').schema) ~ "'").rows %}
    {% if row[0] in names %}{% do found.append(row[0]) %}{% endif %}
  {% endfor %}
  {{ return(found) }}
{% endmacro %}

{% macro source_is_daily(name) %}
  {% set node = graph.sources['source.telco_checks.telco.' ~ name] %}
  {{ return(node.config.meta.layout == 'daily') }}
{% endmacro %}

{% macro all_datasets() %}
  {% set names = [] %}
  {% for node in graph.sources.values() if node.source_name == 'telco' %}
    {% do names.append(node.name) %}
  {% endfor %}
  {{ return(names) }}
{% endmacro %}

{# The first and the last day to look at, as dates in ISO form; none where there is no bound. #}
{% macro window() %}
  {% set start, days = var('start', none), var('days', none) %}
  {% if not execute or (start is none and days is none) %}{{ return([none, none]) }}{% endif %}
  {% if start is none %}
    {% set newest = newest_of_all() %}
    {% if newest is none %}{{ return([none, none]) }}{% endif %}
    {% set last = modules.datetime.date.fromisoformat(newest) %}
    {% set first = last - modules.datetime.timedelta(days=(days | int) - 1) %}
    {{ return([first.isoformat(), newest]) }}
  {% endif %}
  {% set first = modules.datetime.date.fromisoformat(start | string) %}
  {% if days is none %}{{ return([first.isoformat(), none]) }}{% endif %}
  {% set last = first + modules.datetime.timedelta(days=(days | int) - 1) %}
  {{ return([first.isoformat(), last.isoformat()]) }}
{% endmacro %}

{# The condition that a day lies in the window. #}
{% macro in_window(day) %}
  {%- set first, last = window() -%}
  {%- if first is none -%} 1 = 1
  {%- elif last is none -%} {{ day }} >= date '{{ first }}'
  {%- else -%} {{ day }} between date '{{ first }}' and date '{{ last }}'
  {%- endif -%}
{% endmacro %}

{# The newest day of any dataset, in ISO form; none if there is no day. #}
{% macro newest_of_all() %}
  {% set found = run_query(adapter.dispatch('newest_query')()).rows %}
  {{ return(found[0][0] if found else none) }}
{% endmacro %}

{% macro duckdb__newest_query() %}
  select max(regexp_extract(file, '/day=(\d{4}-\d{2}-\d{2})/[^/]*\.parquet$', 1))
  from glob('{{ quoted(lake()) }}/*/day=*/*.parquet')
{% endmacro %}

{% macro default__newest_query() %}
  select cast(max(day) as text) from {{ ledger() }}
  where dataset in ({{ quoted_datasets() }}) and day > date '0001-01-01'
{% endmacro %}

{% macro quoted(text) %}{{ return(text | string | replace("'", "''")) }}{% endmacro %}

{# Says at the start what is looked at, and stops where there is nothing. #}
{% macro look_at_data() %}
  {% if execute and flags.WHICH in ('build', 'run', 'test') %}
    {% set place = adapter.dispatch('place')() %}
    {% set names = all_datasets() %}
    {% set there = held_datasets(names) %}
    {% if not there %}
      {{ exceptions.raise_compiler_error('no dataset in ' ~ place ~ ': ' ~ adapter.dispatch('advice')()) }}
    {% endif %}
    {% set first, last = window() %}
    {{ log('Looking at ' ~ place ~ ', ' ~ ('every day' if first is none else 'from ' ~ first ~ (' to ' ~ last if last else ' on')), info=true) }}
    {% set missing = names | reject('in', there) | list %}
    {% if missing %}
      {{ log('Not there, so their views are empty and their tests see nothing: ' ~ missing | join(', '), info=true) }}
    {% endif %}
  {% endif %}
{% endmacro %}

{% macro duckdb__place() %}{{ return('lake ' ~ lake()) }}{% endmacro %}
{% macro default__place() %}
  {{ return('database ' ~ target.dbname ~ ' on ' ~ target.host ~ ', schema ' ~ source('telco', 'cells').schema) }}
{% endmacro %}

{% macro duckdb__advice() %}
  {{ return('make some with `telco generate`, or name another one with TELCO_LAKE') }}
{% endmacro %}
{% macro default__advice() %}
  {{ return('load them with `telco warehouse load`, or name another one (TELCO_DATABASE_URL; for plain dbt PGHOST, PGDATABASE)') }}
{% endmacro %}

{# A condition that is false where one of the datasets is missing: then there is nothing to compare. #}
{% macro all_held(names) %}
  {{- return('1 = 1' if not execute or held_datasets(names) | length == names | length else '1 = 0') -}}
{% endmacro %}
