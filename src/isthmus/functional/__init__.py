"""Pure functions of tensors: every loss and statistic, by topic. Imports torch only."""
