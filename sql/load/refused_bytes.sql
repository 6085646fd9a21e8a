-- The size of the refused records with what is told of them, in bytes. Input: {{ refused }}.
SELECT coalesce(sum(
    coalesce(octet_length(value), 0) + coalesce(octet_length(key), 0) + coalesce(strlen(headers), 0) + strlen(reasons)
), 0)::BIGINT
FROM {{ refused }};
