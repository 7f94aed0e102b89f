"""Exports: the lake's records in the formats of other people's tools.

Belongs here: what a tool expects of its files, and writing them. Does not belong here: any record
(`generators`), any statistic (`analytics`), what is typed and shown (`cli`).
"""
