"""Joint transfer learning: train on several domains together so that the one with few labels or none gains."""
