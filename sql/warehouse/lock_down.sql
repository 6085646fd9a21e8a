-- From here on the connection reads its databases and the lake's own files, and nothing else. In this order:
-- the folder can be named only before external access ends, and the lock must be last. Measured with DuckDB
-- 1.5.5: the attached catalogue or file stays readable by itself, a lake's Parquet files only through
-- allowed_directories.
{%- if data %}
SET allowed_directories = [{{ data | text }}];
{%- endif %}
SET python_enable_replacements = false;
SET enable_external_access = false;
SET lock_configuration = true;
