-- A copy of one control table, the pipeline's rows only, for the statements of one look at the warehouse: they read these
-- tables again and again, and a lake asks its catalogue anew for each time. Of the two that may be large, only what
-- statements compare and count. Output: nothing.
{%- set narrow = {
    "quarantine": 'generation, partition, "offset", batch, changed_by, state',
    "duplicates": 'generation, partition, "offset", batch, first_batch, first_partition, first_offset'
} %}
CREATE SCHEMA IF NOT EXISTS ledger;
CREATE TABLE ledger.{{ table | ident }} AS
SELECT {{ narrow.get(table, "*") }} FROM lake.loader.{{ table | ident }} WHERE pipeline = {{ pipeline | text }};
