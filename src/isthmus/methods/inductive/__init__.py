"""Methods for a target with a few labels of classes that the source does not have."""
