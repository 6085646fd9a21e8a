-- A column that the contract has and the table has not: NULL in every row that is there.
ALTER TABLE lake.main.{{ table | ident }} ADD COLUMN {{ column | ident }} {{ type }};
