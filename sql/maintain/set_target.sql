-- Set the size that files are merged up to, in bytes.
CALL lake.set_option('target_file_size', '{{ bytes }}B');
