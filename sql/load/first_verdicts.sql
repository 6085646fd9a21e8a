-- One verdict for each record, where its id stands in the table more than once: it is the twin of any row with its
-- content, else it is compared with the oldest. Input and output: {{ verdicts }}.
CREATE OR REPLACE TABLE {{ verdicts }} AS
SELECT * FROM {{ verdicts }}
QUALIFY row_number() OVER (
    PARTITION BY _partition, _offset ORDER BY verdict <> 'twin', first_batch NULLS FIRST, first_partition, first_offset
) = 1;
