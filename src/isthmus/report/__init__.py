"""Tables, figures and the HTML report, made from the files of an output folder. Knows no engine."""
