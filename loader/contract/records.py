"""What makes a value no record at all, whatever the columns: pure builders of DuckDB expressions."""

from __future__ import annotations

from loader.contract.wording import json_word
from loader.statements import quote_text as text_

MAX_DEPTH = 64
"""Records with over 1,000 brackets that nest deeper are refused (Jackson's limit is 1,000 levels)."""

_TEXT = '"$text"'


def record_rule(message_bytes: int) -> str:
    """SQL of rule and sentence (a STRUCT) for a value that is no record at all: the first that fits.

    `"$kind"` is JSON's type of the text, NULL where it is no JSON.
    """
    value, size, kind = '"$value"', 'octet_length("$value")', '"$kind"'
    schema = f"CAST('0x' || substring(hex({value}), 3, 8) AS BIGINT)"
    cases = [
        (f"{value} IS NULL", "tombstone", "'the value is null'"),
        (f"{size} > {message_bytes}", "size",
         f"'the message has ' || {size} || ' bytes; the limit is {message_bytes}'"),
        (f"{size} >= 5 AND starts_with(hex({value}[:1]), '00')", "framing",
         f"'the value is framed for a schema registry (schema ' || {schema} || '), not plain JSON'"),
        (f"{size} = 0", "json", "'the value is empty'"),
        (f"{_TEXT} IS NULL", "utf8", "'the value is not valid UTF-8'"),
        (f"{kind} IS NULL", "json", "'the value is not valid JSON'"),
        (f"{kind} = 'OBJECT'", "depth", f"'the value is nested deeper than {MAX_DEPTH} levels'"),
        ("true", "json", f"'the value is JSON, but no object: ' || {json_word(kind)}"),
    ]  # fmt: skip
    whens = (f"WHEN {when} THEN {{'rule': {text_(rule)}, 'says': {says}}}" for when, rule, says in cases)
    return f"CASE {' '.join(whens)} END"


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
