"""Samples and servers for the demonstration and the tests: made by code, the same bytes every time."""
