"""Who asks: the command line, and later the pages, the API and the metrics."""
