-- The number of the last change to the warehouse. Output: seq.
SELECT seq FROM lake.loader.head;
