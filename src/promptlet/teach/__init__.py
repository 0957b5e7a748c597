"""`promptlet teach`: a page on which images become a classifier, over projects that are plain folders.

`projects` keeps them on the disk, `http` answers for them beside the routes of `promptlet.serve`, `learning`
trains and judges, `static` is the page itself.
"""
