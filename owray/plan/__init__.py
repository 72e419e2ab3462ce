"""What is called when: pure functions of (seed, stream, index). No clock, no input or output, no asyncio."""
