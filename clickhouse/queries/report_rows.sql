-- The rows of a section of a report as a Parquet file: made by the store, whose decimals are exact in it.
-- Params: none; the table report_rows is sent along.
-- Returns: the bytes of the file.
SELECT * FROM report_rows FORMAT Parquet
