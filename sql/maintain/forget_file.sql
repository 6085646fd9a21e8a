-- Take the rows of one file out of the target table, inside the transaction that adds them in other files.
DELETE FROM lake.main.{{ table | ident }} AS t WHERE t.filename = {{ file | text }};
