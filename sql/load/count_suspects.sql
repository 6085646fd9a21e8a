-- Whether any id of the batch was there before: without one there is no verdict to find.
SELECT (SELECT count(*) FROM {{ hits }}) + (SELECT count(*) FROM {{ repeated }});
