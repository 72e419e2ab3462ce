"""Playing one share of a plan on one core: pacer, invoker, reply to outcome. asyncio; no Ray."""
