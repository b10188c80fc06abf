"""How the tables came to be what they are; run by `preservation.catalog.opening` through Alembic."""
