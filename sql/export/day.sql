-- The day (or month, year, hour) of a time, as text. Input: a column and the pattern.
strftime({{ column | ident }}, {{ pattern | text }})
