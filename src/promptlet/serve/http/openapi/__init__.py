"""What /openapi.json tells of each route: what is sent, and what comes back."""
