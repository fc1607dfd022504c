"""The composition root: the only place that builds objects, finds plugins and validates their settings.

`building` makes the parts, one property each; the other modules join parts into what a command or a job asks for.
"""
