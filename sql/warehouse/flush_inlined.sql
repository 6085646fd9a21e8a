-- Move what piled up inside the catalogue (small batches, old versions of control rows) into Parquet files.
-- Without it an update of the control tables gets slower with every commit (10 ms, after 345,600 of
-- them 144 ms). The caller makes the new files durable before COMMIT.
CALL ducklake_flush_inlined_data('lake');
