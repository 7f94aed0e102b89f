{# All partitions are of the same world: rows of two worlds do not fit each other. #}
{% test one_world(model) %}
  select world_hash, count(*) as row_count, min(dataset) as dataset
  from {{ model }}
  where (select count(distinct world_hash) from {{ model }}) > 1
  group by world_hash
{% endtest %}
