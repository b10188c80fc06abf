"""When, and in what order. A flow puts steps in order; it decides nothing and touches no bytes.

Read `ingest.py` first. Only `prefect_runs.py` imports Prefect: the same steps run with and without it.
"""
