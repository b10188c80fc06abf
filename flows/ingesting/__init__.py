"""What ingest does between receiving and admitting: one function a step, and packages side by side."""
