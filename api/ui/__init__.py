"""The files of the web page, as the browser gets them; ``api.ui_pages`` serves them."""
