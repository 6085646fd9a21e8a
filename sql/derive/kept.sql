-- Of a derived table, the rows that batches before one have written. Input: {{ ledger }}, the seq of that batch.
SELECT d.* FROM lake.main.{{ table | ident }} AS d
WHERE d._batch IN (SELECT batch FROM {{ ledger }} WHERE seq < {{ since }})
