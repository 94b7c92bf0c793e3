"""Events: contract rows sent over HTTP, kept before they are acknowledged."""
