"""One file per step of the schema, numbered; never changed once released."""
