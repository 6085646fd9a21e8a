-- The rows of one file of the target table.
SELECT * FROM lake.main.{{ table | ident }} AS t WHERE t.filename = {{ file | text }}
