-- Let names without a database mean those of the warehouse, on this cursor.
USE lake;
