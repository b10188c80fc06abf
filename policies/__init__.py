"""What should be true: policies in YAML, their model, and pure functions that compare them with the facts.

Nothing here reads the clock, opens a store or asks the catalog: `now` and the facts are arguments.
"""
