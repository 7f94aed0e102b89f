{# Tests of business views. #}

{# A total of the view is the one of what it is made from. #}
{% test same_total(model, total, other, other_total) %}
  select here.total as total, there.total as other_total
  from (select coalesce({{ total }}, 0) as total from {{ model }}) as here
  cross join (select coalesce({{ other_total }}, 0) as total from {{ other }}) as there
  where here.total <> there.total
{% endtest %}

{# Each subscriber that a view names is one of ours. #}
{% test names_subscribers(model) %}
  select model.rule, model.entity
  from {{ model }} as model
  left join (
    select cast(subscriber_id as text) as entity from {{ ref('stg_subscribers') }}
    union
    select cast(subscriber_id as text) from {{ ref('stg_prospects') }}
  ) as known on known.entity = model.entity
  where model.entity_kind = 'subscriber' and known.entity is null
    and {{ all_held(['subscribers', 'prospects']) }}
{% endtest %}
