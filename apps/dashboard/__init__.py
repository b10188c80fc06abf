"""What other programs ask over HTTP: metrics, health, the answers of the command as JSON. Nothing is changed."""
