"""Message in, store out: the Celery workers of Muninn."""
