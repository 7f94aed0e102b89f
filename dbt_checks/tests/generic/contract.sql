{# Tests of one dataset that the contracts ask for. Those over many columns look at the rows once
   and return a row for each column that is broken, with the number of rows that break it. #}

{% test unique_key(model, columns) %}
  select {{ columns | join(', ') }}, count(*) as row_count
  from {{ model }}
  group by {{ columns | join(', ') }}
  having count(*) > 1
{% endtest %}

{% test not_null_columns(model, columns) %}
  {{ config(fail_calc='coalesce(sum(row_count), 0)') }}
  {% set broken = {} %}
  {% for column in columns %}{% do broken.update({column: column ~ ' is null'}) %}{% endfor %}
  {{ broken_columns(model, broken) }}
{% endtest %}

{% test accepted_codes(model, codes) %}
  {{ config(fail_calc='coalesce(sum(row_count), 0)') }}
  {% set broken = {} %}
  {% for column, values in codes.items() %}
    {% set listed = [] %}
    {% for value in values %}{% do listed.append("'" ~ quoted(value) ~ "'") %}{% endfor %}
    {% do broken.update({column: column ~ ' not in (' ~ listed | join(', ') ~ ')'}) %}
  {% endfor %}
  {{ broken_columns(model, broken) }}
{% endtest %}

{# Bounds are pairs of the lowest and the highest value; none where there is no bound. #}
{% test in_range(model, bounds) %}
  {{ config(fail_calc='coalesce(sum(row_count), 0)') }}
  {% set broken = {} %}
  {% for column, pair in bounds.items() %}
    {% set outside = [] %}
    {% if pair[0] is not none %}{% do outside.append(column ~ ' < ' ~ pair[0]) %}{% endif %}
    {% if pair[1] is not none %}{% do outside.append(column ~ ' > ' ~ pair[1]) %}{% endif %}
    {% do broken.update({column: outside | join(' or ')}) %}
  {% endfor %}
  {{ broken_columns(model, broken) }}
{% endtest %}

{% test matches_pattern(model, patterns) %}
  {{ config(fail_calc='coalesce(sum(row_count), 0)') }}
  {% set broken = {} %}
  {% for column, pattern in patterns.items() %}
    {% do broken.update({column: 'not ' ~ matches(column, pattern)}) %}
  {% endfor %}
  {{ broken_columns(model, broken) }}
{% endtest %}

{# Every value is one of `field` in one of the models; nulls refer to nothing. Where none of the
   rows referred to are there at all, nothing is said: the lake was made without them. #}
{% test refers(model, column_name, field, to) %}
  {{ config(fail_calc='coalesce(sum(row_count), 0)') }}
  with known as (
  {%- for target in to %}
    select {{ field }} as value from {{ target }}
    {%- if not loop.last %} union{% endif %}
  {%- endfor %}
  ),
  used as (
    select {{ column_name }} as value, count(*) as row_count
    from {{ model }}
    where {{ column_name }} is not null
    group by {{ column_name }}
  )
  select used.value, used.row_count
  from used
  left join known on known.value = used.value
  where known.value is null and exists (select 1 from known)
{% endtest %}

{# The time of each row lies in the (UTC) day of its partition. #}
{% test within_day(model, column) %}
  {{ config(fail_calc='coalesce(sum(row_count), 0)') }}
  select day, cast({{ column }} as date) as found, count(*) as row_count
  from {{ model }}
  where cast({{ column }} as date) <> day
  group by 1, 2
{% endtest %}

{# The newest day of a dataset is the newest of all, or the last one that was asked for. One that is
   held and has no day in the window is late too; of one that is not held nothing is said. #}
{% test newest_day(model, dataset) %}
  {% set first, last = window() %}
  select newest.day as newest, wanted.day as wanted
  from (select max(day) as day from {{ ref('partitions') }} where dataset = '{{ dataset }}') as newest,
    (select {{ "date '" ~ last ~ "'" if last else 'max(day)' }} as day from {{ ref('partitions') }}) as wanted
  where (newest.day is null or newest.day < wanted.day) and {{ all_held([dataset]) }}
{% endtest %}

{# Each partition has the rows that were recorded when it was written or loaded. #}
{% test recorded_rows(model, dataset, daily) %}
  with recorded as (
    select day, row_count as recorded from {{ ref('partitions') }} where dataset = '{{ dataset }}'
  ),
  counted as (
    select {{ 'day' if daily else 'cast(null as date) as day' }}, count(*) as counted
    from {{ model }}
    {% if daily %}group by day{% endif %}
  )
  select coalesce(recorded.day, counted.day) as day, recorded.recorded, counted.counted
  from recorded
  full join counted on {{ 'recorded.day = counted.day' if daily else '1 = 1' }}
  where coalesce(recorded.recorded, 0) <> coalesce(counted.counted, 0)
{% endtest %}
