-- The schema of the control tables and the list of applied migrations, before the first of them.
CREATE SCHEMA IF NOT EXISTS lake.loader;
CREATE TABLE IF NOT EXISTS lake.loader.migrations (name VARCHAR NOT NULL, applied_at TIMESTAMPTZ NOT NULL);
