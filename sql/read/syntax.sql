-- The syntax tree of a SELECT as JSON. Parameters: sql. Output: tree; its "error" is true for anything else.
SELECT json_serialize_sql($sql) AS tree;
