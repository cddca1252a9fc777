"""Tasks, domains, problems and exams; readers; typed batches and their loaders."""
