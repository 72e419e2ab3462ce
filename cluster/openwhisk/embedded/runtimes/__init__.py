"""What runs inside containers, and the server that forks them.

These files are started by their paths, with nothing but the standard library of whatever interpreter runs them: they import nothing of
this project, and what they share with it is the protocol of /init and /run.
"""
