-- Put new sums in place. Input: {{ table }} (folded or removed), relation `sums` with its columns.
INSERT INTO lake.loader.{{ table }} SELECT * FROM sums;
