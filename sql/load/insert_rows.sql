-- Insert rows of the batch, inside its transaction.
INSERT INTO lake.{{ schema | ident }}.{{ table | ident }} BY NAME {{ rows }};
