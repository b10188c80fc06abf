"""The `vankho` command: asks flows and the catalog, and says what they answered. Decides nothing."""
