-- Whether the target table holds a row of this kind. Output: one row, or none.
SELECT 1 FROM lake.main.{{ table | ident }} WHERE {{ where }} LIMIT 1;
