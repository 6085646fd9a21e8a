-- Remove the records that the quick look left in doubt, before parse.sql adds them. Input: {{ staging }}.
DELETE FROM {{ staging }} WHERE _reasons LIKE '?%';
