-- Ids that stand twice in the outbox. Parameters: pipeline. Output: name, id.
SELECT name, id FROM lake.loader.outbox WHERE pipeline = $pipeline GROUP BY name, id HAVING count(*) > 1;
