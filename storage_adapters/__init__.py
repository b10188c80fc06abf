"""Where copies live: the store contract, its conformance checks, and the adapters."""
