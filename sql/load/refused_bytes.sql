-- The size of the refused records, in bytes. Input: {{ refused }}.
SELECT coalesce(sum(octet_length(value) + coalesce(octet_length(key), 0)), 0)::BIGINT FROM {{ refused }} WHERE value IS NOT NULL;
