-- The rows of the target table for a comparison with an answer key: contract columns, without the
-- places they came from. Output: the contract's columns.
SELECT {{ columns | join(', ') }} FROM lake.main.{{ table | ident }};
