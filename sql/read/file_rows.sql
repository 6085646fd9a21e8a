-- How many rows the footers of some Parquet files promise: fails where one cannot be read.
SELECT sum(num_rows)::BIGINT FROM parquet_file_metadata([{% for file in files %}{{ ', ' if not loop.first }}{{ file | text }}{% endfor %}]);
