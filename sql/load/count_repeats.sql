-- How many ids of the batch were there before, in the target or in the batch itself: without one there is no
-- verdict to find. Input: {{ hits }}, {{ suspects }}.
SELECT (SELECT count(*) FROM {{ hits }}) + (SELECT count(*) FROM {{ suspects }} WHERE "$repeated");
