-- Drop a derived table.
DROP TABLE IF EXISTS lake.main.{{ table | ident }};
