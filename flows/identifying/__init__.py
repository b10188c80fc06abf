"""Which signatures formats are identified by, where they come from, and what another release would say."""
