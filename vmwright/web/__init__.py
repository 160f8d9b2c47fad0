"""The page: files for browsers, and how they are served. The rest of it runs in the browser."""
