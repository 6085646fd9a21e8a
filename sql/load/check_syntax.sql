-- The syntax tree of one condition of the contract. Parameters: a SELECT of it. Output: JSON text.
SELECT CAST(json_serialize_sql(?) AS VARCHAR);
