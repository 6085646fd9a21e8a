-- What of a staged sample was refused. Output: partition, offset, reasons (JSON).
SELECT _partition AS partition, _offset AS "offset", _reasons AS reasons
FROM {{ staging }}
WHERE _reasons IS NOT NULL
ORDER BY ALL;
