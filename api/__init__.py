"""HTTP in, HTTP out: the Flask front of Muninn."""
