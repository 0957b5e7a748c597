"""What the server's routes read and answer: bodies, fields, problems, and one file for each kind of route.

`shared` is what routes are made of. `bodies` and `multipart` read what was sent, `fields` checks it, whatever
its form; `problems` is everything that can go wrong, in words; `schemas` and `described` are what
/openapi.json says.
"""
