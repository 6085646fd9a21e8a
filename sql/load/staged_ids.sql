-- The accepted records of a batch: where each stands in the staging table, and the hash of its id.
-- Equal ids have equal hashes: DuckDB's own joins rely on it. Input: {{ staging }}. Output: row, hash.
SELECT rowid AS "row", hash({{ ids | join(', ') }}) AS "hash"
FROM {{ staging }}
WHERE _reasons IS NULL AND NOT _skip;
