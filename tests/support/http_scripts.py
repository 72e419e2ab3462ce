"""What a scripted server answers, and one request of a connection to it."""

import asyncio

from owray.http1.request import render

REQUEST = render("GET", "/", {"Host": "here"})
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: a value\r\n\r\nhi"


def replying(*chunks, pause_s=0.002, then_close=False):
    """A script that answers each request with these chunks, one write each."""

    async def script(reader, writer):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            for index, chunk in enumerate(chunks):
                if index:
                    await asyncio.sleep(pause_s)
                writer.write(chunk)
            if then_close:
                writer.close()
                return

    return script


async def outcome(connection, heard, request=REQUEST):
    exchange = heard()
    connection.send(request, exchange)
    return await asyncio.wait_for(exchange.ended, 5)
