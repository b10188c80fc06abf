-- Prefect's own database beside the catalog's. It can be lost: it is not the truth.
CREATE DATABASE prefect;
\connect prefect
CREATE EXTENSION IF NOT EXISTS pg_trgm;
