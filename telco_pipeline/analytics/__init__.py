"""Analytics: what the records of a lake say, computed from the records alone.

Belongs here: measures over partitions that already lie in a lake. Does not belong here: making
records, and any code that makes them: nothing of the generators, of behaviour or of the world may
be imported, so that these measures can find the generators wrong.
"""
