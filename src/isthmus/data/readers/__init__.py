"""From files, arrays and data sets to problems."""
