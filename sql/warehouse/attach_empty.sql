-- A database in memory in place of a warehouse that is not there yet.
ATTACH ':memory:' AS lake;
