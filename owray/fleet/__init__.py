"""The fleet: invokers as Ray actors, and the coordinator that starts, watches and seals them. The only room of owray that imports ray."""
