"""What makes a value no record at all, whatever the columns: pure builders of DuckDB expressions."""

from __future__ import annotations

from loader.contract.wording import json_word
from loader.statements import quote_text as text_

MAX_DEPTH = 64
"""Records with over 1,000 brackets that nest deeper are refused (Jackson's limit is 1,000 levels)."""

_TEXT = '"$text"'


def record_rules(message_bytes: int) -> tuple[str, str]:
    """SQL of rule and sentence for a value that is no record at all: the first that fits."""
    value, size = '"$value"', 'octet_length("$value")'
    schema = f"CAST('0x' || substring(hex({value}), 3, 8) AS BIGINT)"
    cases = [
        (f"{value} IS NULL", "tombstone", "'the value is null'"),
        (f"{size} > {message_bytes}", "size",
         f"'the message has ' || {size} || ' bytes; the limit is {message_bytes}'"),
        (f"{size} >= 5 AND starts_with(hex({value}[:1]), '00')", "framing",
         f"'the value is framed for a schema registry (schema ' || {schema} || '), not plain JSON'"),
        (f"{size} = 0", "json", "'the value is empty'"),
        (f"{_TEXT} IS NULL", "utf8", "'the value is not valid UTF-8'"),
        (f"NOT json_valid({_TEXT})", "json", "'the value is not valid JSON'"),
        (f"json_type({_TEXT}) = 'OBJECT'", "depth", f"'the value is nested deeper than {MAX_DEPTH} levels'"),
        ("true", "json", f"'the value is JSON, but no object: ' || {json_word(f'json_type({_TEXT})')}"),
    ]  # fmt: skip
    rule = " ".join(f"WHEN {when} THEN {text_(name)}" for when, name, _ in cases)
    sentence = " ".join(f"WHEN {when} THEN {words}" for when, _, words in cases)
    return f"CASE {rule} END", f"CASE {sentence} END"


def deep() -> str:
    """True if more than 1,000 brackets are open at once, or if over 1,000 nest deeper than MAX_DEPTH.

    Without strings and all else but brackets, each pass takes away eight levels from the inside.
    """
    block = r"[\[{][\]}]"
    for _ in range(7):
        block = rf"[\[{{](?:{block})*[\]}}]"
    opened = f"2 * strlen({_TEXT}) - strlen(replace({_TEXT}, '[', '')) - strlen(replace({_TEXT}, '{{', ''))"
    bare = rf"regexp_replace({_TEXT}, '\"(\\.|[^\"\\])*\"', '', 'g')"
    brackets = rf"regexp_replace({bare}, '[^\[\]{{}}]+', '', 'g')"
    rest = "b"
    for _ in range(MAX_DEPTH // 8):
        rest = f"regexp_replace({rest}, '{block}', '', 'g')"
    run = r"regexp_matches(b, '[\[{]{1000}')"
    deep = f"list_transform([{brackets}], lambda b: CASE WHEN {run} THEN true ELSE strlen({rest}) > 0 END)[1]"
    return f"(CASE WHEN {opened} > 1000 THEN {deep} ELSE false END)"
