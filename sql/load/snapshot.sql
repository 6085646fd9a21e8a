-- The number of the lake's newest change of any kind, also of those that take no head.
SELECT id FROM lake.current_snapshot();
