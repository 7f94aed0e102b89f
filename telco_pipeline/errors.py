"""The one error that people see.

Belongs here: `TelcoError`. Does not belong here: errors that only a programmer can mend; those
stay ordinary exceptions and may show a traceback.
"""


class TelcoError(Exception):
    """What is wrong, where, and what to do, in one line.

    The `telco` command prints it and ends with exit status 2; Dagster turns it into a failure
    without retries.
    """
