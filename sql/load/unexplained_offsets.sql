-- The offsets of the refused records, which still need their reasons. Input: {{ staging }}.
SELECT _offset FROM {{ staging }} WHERE _reasons IS NOT NULL AND NOT _skip;
