-- Make room for new sums. Input: {{ table }} (folded or removed). Parameters: pipeline.
DELETE FROM lake.loader.{{ table }} WHERE pipeline = $pipeline;
