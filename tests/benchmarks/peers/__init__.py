"""Other ways to bring the same orders into tables, measured in the same run; none is part of the loader."""
