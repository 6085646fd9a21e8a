-- Attach a DuckLake as `lake`. WAL on the catalogue: without it two transactions deadlock, readers
-- break commits, and a power cut loses the last commit. Inlining: small inserts stay in the catalogue, without files.
ATTACH {{ address | text }} AS lake (
    DATA_PATH {{ data | text }}
    {%- if read_only %}, READ_ONLY, CREATE_IF_NOT_EXISTS false
    {%- else %}, META_JOURNAL_MODE 'WAL', META_BUSY_TIMEOUT 5000, DATA_INLINING_ROW_LIMIT {{ inline_rows }}
    {%- endif %}
);
