-- The whole target table: the contract's columns, then the loader's own.
SELECT * FROM {{ table }}
