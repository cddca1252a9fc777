"""Methods of the assisted setting: main tasks labelled on the source, anchor tasks on both domains."""
