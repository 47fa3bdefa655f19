"""Starting and supervising the processes that make up a running Muninn."""
