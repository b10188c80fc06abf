"""Bags (RFC 8493): writing an AIP down, and judging any bag.

The writer (`plan`, `tag_files`, `premis`, `write`) and the checker (`bag_view`, `tag_grammar`, `manifests`,
`fetch`, `check`) share no code, so that one cannot repeat the other's mistake.
"""
