"""The scenario language: what happens to the operator, when, to whom, and what is known of it.

Belongs here: the shape of a layer file (`language`, `effects`), whom a role means (`selection`),
when an incident and its stages happen (`timeline`), what touches whom on a day (`story`). Does not
belong here: what an effect does, which its home in `behaviour`, `state`, `generators` or `oss`
knows, nor the name of any layer.
"""
