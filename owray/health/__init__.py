"""Whether this machine is fit to play storms from: one small check a thing, each a function over the parts of the machine it looks at."""
