-- Add rows to those that are kept in memory.
INSERT INTO {{ name }} BY NAME
{{ rows }};
