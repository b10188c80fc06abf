"""Places where producers put packages: what lies there, what was taken, what the producer is answered."""
