{# Looks at the rows once: a row for each column that is broken, by the condition given for it. #}
{% macro broken_columns(model, broken) %}
  with counted as (
    select
    {%- for column, condition in broken.items() %}
      count(*) filter (where {{ condition }}) as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
    from {{ model }}
  )
  {%- for column in broken %}
  select '{{ column }}' as column_name, {{ column }} as row_count from counted where {{ column }} > 0
  {%- if not loop.last %} union all{% endif %}
  {%- endfor %}
{% endmacro %}
