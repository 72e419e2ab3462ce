"""HTTP/1.1 over asyncio protocols, as lean as Python allows: one request at a time per connection, no Task or Future per call."""
