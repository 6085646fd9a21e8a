-- Settings of every connection: one thread (the caller's), UTC, nothing installed at run time; two row
-- groups wait in memory before they are written, not five. No extension without a signature from here on.
SET threads = {{ threads }};
SET TimeZone = 'UTC';
SET autoinstall_known_extensions = false;
SET autoload_known_extensions = false;
SET allow_unsigned_extensions = false;
SET preserve_insertion_order = true;
SET write_buffer_row_group_count = 2;
SET temp_directory = {{ temporary | text }};
{%- if memory %}
SET memory_limit = '{{ memory }}B';
{%- endif %}
