-- The empty answer of verdicts.sql, where no id was there before.
CREATE OR REPLACE TABLE {{ verdicts }} (
    _partition INTEGER, _offset BIGINT, id VARCHAR, verdict VARCHAR, first_partition INTEGER, first_offset BIGINT, first_batch BIGINT
);
