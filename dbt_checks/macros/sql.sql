{# What DuckDB and PostgreSQL write differently. #}

{# A UTC time without zone: Parquet files bear the zone, tables of the warehouse do not. #}
{% macro utc(column) %}{{ return(adapter.dispatch('utc')(column)) }}{% endmacro %}
{% macro duckdb__utc(column) %}{{ return("timezone('UTC', " ~ column ~ ")") }}{% endmacro %}
{% macro default__utc(column) %}{{ return(column) }}{% endmacro %}

{# Whether a text has a match of a regular expression. #}
{% macro matches(column, pattern) %}{{ return(adapter.dispatch('matches')(column, pattern)) }}{% endmacro %}
{% macro duckdb__matches(column, pattern) %}{{ return("regexp_matches(" ~ column ~ ", '" ~ quoted(pattern) ~ "')") }}{% endmacro %}
{% macro default__matches(column, pattern) %}{{ return(column ~ " ~ '" ~ quoted(pattern) ~ "'") }}{% endmacro %}

{# A share, rounded; null where there is nothing to divide by. #}
{% macro share(part, whole, digits=4) %}round(cast({{ part }} as numeric(38, 6)) / nullif({{ whole }}, 0), {{ digits }}){% endmacro %}

{# Micro-units of money in whole units. #}
{% macro euro(micro) %}round(cast({{ micro }} as numeric(38, 6)) / 1000000, 2){% endmacro %}
