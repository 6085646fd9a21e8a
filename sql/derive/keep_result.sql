-- Keep rows in the private in-memory database. Input: a SELECT of them. Output: table {{ name }}.
CREATE OR REPLACE TABLE {{ name }} AS
{{ rows }};
