"""A bank of prompts over HTTP: one backbone encodes each image once, and any number of prompts answer.

`app` is the application, made of parts that are given to it: the bank of prompts, what encodes images, who
may ask what, and the limits. `start` makes these parts of settings and runs the server.
"""
