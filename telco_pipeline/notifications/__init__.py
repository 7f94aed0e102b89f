"""Notifications: what is said of a run that ended, and how it gets there, by mail or webhook.

`settings` reads the TELCO_NOTIFY_* variables, `message` has the words, `sending` brings them to a
mail server or a webhook. Does not belong here: which runs ended, and how (`notify_sensors`).

Dagster's own `make_email_on_run_failure_sensor` tells of failures alone, as HTML with unescaped
words, and always logs in.
"""
