-- How many ids the set knows that were not found where it says: they may stand elsewhere.
-- Input: {{ suspects }}, {{ hits }}.
SELECT count(*) FROM {{ suspects }} ANTI JOIN {{ hits }} USING ({{ ids | join(', ') }}) WHERE "$present";
