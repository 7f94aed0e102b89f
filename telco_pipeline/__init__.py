"""A synthetic mobile operator whose days are Dagster partitions.

This module holds the version and nothing else. Importing the package must stay
free of work: no settings are read, no data is touched and Dagster is not loaded,
so that a worker process or a test pays only for what it uses.
"""

__version__ = "0.1.0"
