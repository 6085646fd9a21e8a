-- Control tables stay in the catalogue, without files, up to so many rows an insert.
CALL lake.set_option('data_inlining_row_limit', {{ rows }}, schema => 'loader');
