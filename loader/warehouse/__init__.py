"""DuckLake and DuckDB files as warehouses: attach, migrate, stage, commit, read."""
