"""The world: what exists before anything happens.

Belongs here: places, the network, the catalogue of devices and plans, subscribers. Does not
belong here: what they do on a day (`behaviour`), records (`generators`), files (`lake`).

Everything here is a function of the world's configuration alone, so any room can be built again
anywhere with the same rows.
"""
