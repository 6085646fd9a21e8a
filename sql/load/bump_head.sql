-- Settle an unknown outcome by a write: whatever came before it is decided once this is durable.
UPDATE lake.loader.head SET seq = seq + 1;
