"""Items that are rows of tables with types: Parquet and Arrow files, results of queries. What they are as JSON data is one rule."""
