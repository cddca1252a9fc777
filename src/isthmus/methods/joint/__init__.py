"""Methods for several labelled domains, each of which counts."""
