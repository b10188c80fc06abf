"""How flows are run: beside a Prefect server or without one, by schedules, workers and several machines."""
