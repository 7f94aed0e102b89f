"""What all tests share: the profiles of hypothesis, brokers (see `kafka`) and databases
(see `postgres`).

`fast` is the default and tries the same examples every time; `long` (HYPOTHESIS_PROFILE=long or
--hypothesis-profile=long) tries many new ones. No test has a deadline: the machine may be busy.
"""

import os

from hypothesis import HealthCheck, settings

from telco_pipeline_tests.kafka import (  # noqa: F401  (fixtures)
    apache_kafka,
    kafka,
    own_kafka,
    shared_kafka,
)
from telco_pipeline_tests.postgres import (  # noqa: F401  (fixtures)
    _postgres_or_why,
    own_postgres,
    postgres,
    postgres_url,
)

settings.register_profile(
    "fast",
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long",
    max_examples=2000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
