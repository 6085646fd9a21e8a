-- The migrations that this warehouse has. Output: name.
SELECT name FROM lake.loader.migrations ORDER BY name;
