-- Remove the records that the quick look left, before parse.sql adds them. Input: {{ staging }}.
DELETE FROM {{ staging }} WHERE _reasons IS NOT NULL;
