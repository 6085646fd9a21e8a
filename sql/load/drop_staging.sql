-- Drop one staging table of a batch.
DROP TABLE IF EXISTS {{ name }};
