-- Write the rows of one file of the target anew, parted by the table's layout: a folder for each unit that has more
-- than {{ least }} rows there, and one for all other rows. Nothing here syncs the files: the caller does.
-- Input: table, file, keys (functions of a time), column, folder, name (of the new files). Output: count, files.
COPY (
    SELECT * EXCLUDE (_units), {% for key in keys %}CASE WHEN _units > {{ least }} THEN {{ key }}({{ column | ident }}) END AS {{ key }}{{ ", " if not loop.last }}{% endfor %}
    FROM (
        SELECT *, CASE WHEN isfinite({{ column | ident }}) THEN count(*) OVER (
            PARTITION BY {% for key in keys %}{{ key }}({{ column | ident }}){{ ", " if not loop.last }}{% endfor %}
        ) ELSE 0 END AS _units
        FROM lake.main.{{ table | ident }} AS t
        WHERE t.filename = {{ file | text }}
    )
) TO {{ folder | text }} (
    FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION v2, ROW_GROUP_SIZE 122880,
    PARTITION_BY ({{ keys | join(', ') }}), FILENAME_PATTERN {{ name | text }}, OVERWRITE_OR_IGNORE, RETURN_FILES
);
