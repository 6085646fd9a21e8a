-- Settings of every connection: one thread (the caller's), UTC, nothing installed at run time.
SET threads = {{ threads }};
SET TimeZone = 'UTC';
SET autoinstall_known_extensions = false;
SET autoload_known_extensions = false;
SET preserve_insertion_order = true;
SET temp_directory = {{ temporary | text }};
{%- if memory %}
SET memory_limit = '{{ memory }}B';
{%- endif %}
