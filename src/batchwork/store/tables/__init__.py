"""What all stores in databases with SQL share: rows to and from values, what is recorded and read by which statements. No driver is known here."""
