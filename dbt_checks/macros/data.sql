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
  {% do check_window(start, days) %}
  {% if start is none %}
    {% set newest = newest_day_within(none, none) %}
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

{# Stops where the variables are no window. Years of two centuries: whatever is counted from them
   is a date still. #}
{% macro check_window(start, days) %}
  {% if days is not none and not modules.re.fullmatch('[1-9][0-9]{0,4}', days | string) %}
    {{ exceptions.raise_compiler_error(
        "the variable days is '" ~ days ~ "': write a whole number from 1 on, such as --vars '{days: 7}'") }}
  {% endif %}
  {% if start is not none %}
    {% set parts = modules.re.fullmatch('((?:19|20)[0-9]{2})-([0-9]{2})-([0-9]{2})', start | string) %}
    {% set year, month, day = parts.groups() | map('int') if parts else (0, 0, 0) %}
    {% set good = 1 <= month and month <= 12 %}
    {% if good %}
      {% set next = modules.datetime.date(year + month // 12, month % 12 + 1, 1) %}
      {% set good = 1 <= day and day <= (next - modules.datetime.timedelta(days=1)).day %}
    {% endif %}
    {% if not good %}
      {{ exceptions.raise_compiler_error(
          "the variable start is '" ~ start ~ "', which is no date: write one such as --vars '{start: 2026-01-05}'") }}
    {% endif %}
  {% endif %}
{% endmacro %}

{# The condition that a day lies in the window. #}
{% macro in_window(day) %}
  {%- set first, last = window() -%}
  {%- if first is none -%} 1 = 1
  {%- elif last is none -%} {{ day }} >= date '{{ first }}'
  {%- else -%} {{ day }} between date '{{ first }}' and date '{{ last }}'
  {%- endif -%}
{% endmacro %}

{# The newest day of any dataset between two (none: no bound), in ISO form; none if there is none. #}
{% macro newest_day_within(first, last) %}
  {% set found = run_query(
      "select cast(max(day) as text) from (" ~ adapter.dispatch('days_query')() ~ ") as held where day between date '"
      ~ (first or '0001-01-02') ~ "' and date '" ~ (last or '9999-12-31') ~ "'").rows %}
  {{ return(found[0][0] if found else none) }}
{% endmacro %}

{% macro duckdb__days_query() %}
  select try_cast(regexp_extract(file, '/day=(\d{4}-\d{2}-\d{2})/[^/]*\.parquet$', 1) as date) as day
  from glob('{{ quoted(lake()) }}/*/day=*/*.parquet')
{% endmacro %}

{% macro default__days_query() %}
  select day from {{ ledger() }} where dataset in ({{ quoted_datasets() }})
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
    {% if var('start', none) is not none or var('days', none) is not none %}
      {% if newest_day_within(first, last) is none %}
        {{ exceptions.raise_compiler_error('no partition ' ~ ('from ' ~ first if first else 'of any day')
            ~ (' to ' ~ last if last else '') ~ ' in ' ~ place ~ ': its newest day is '
            ~ (newest_day_within(none, none) or 'none at all')) }}
      {% endif %}
    {% endif %}
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
