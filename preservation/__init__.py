"""How preservation is done: packages, bags, formats, fixity, replicas, events, catalog.

Plain functions over values. Nothing here reads the clock (`now` is an argument) or knows of Prefect.
"""
