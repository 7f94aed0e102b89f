{# Says at the end, in a line for each failed test, the first of the rows that it found. #}
{% macro tell_failures(results) %}
  {% if execute %}
    {% for result in results if result.node.resource_type == 'test' and result.status in ('fail', 'warn') %}
      {% set found = run_query('select * from (' ~ result.node.compiled_code ~ ') as found limit 3') %}
      {% set told = [] %}
      {% for row in found.rows %}
        {% set cells = [] %}
        {% for name in found.column_names %}{% do cells.append(name ~ '=' ~ row[name]) %}{% endfor %}
        {% do told.append(cells | join(', ')) %}
      {% endfor %}
      {{ log(result.node.name ~ ': ' ~ told | join('; '), info=true) }}
    {% endfor %}
  {% endif %}
{% endmacro %}
