-- The schema of the materialised analytics.
CREATE SCHEMA IF NOT EXISTS lake.{{ schema | ident }};
