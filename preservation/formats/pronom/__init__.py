"""PRONOM's signatures, read once and matched fast: releases, what each pattern demands, bytes, containers.

Promises the answers that the signatures give, in the order and with the priorities of their release. Knows nothing
of processes, packages or reports, and opens no file but a release's own.
"""
