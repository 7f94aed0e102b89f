"""What people and machines do: who is active when, where they are, whom they call.

Belongs here: pure functions from the world and a day to activity. Does not belong here: records
and their fields (`generators`), what exists (`world`).
"""
