-- Note a migration as applied. Parameters: name.
INSERT INTO lake.loader.migrations VALUES (?, now());
