-- The size that files are merged up to, as this lake has it. Output: bytes as text, or no row.
SELECT value FROM ducklake_options('lake') WHERE option_name = 'target_file_size' AND scope = 'GLOBAL';
