"""The web side: the application and the assembly of the API."""
