"""Names get into URLs as one segment each, or not at all."""

import asyncio
from urllib.parse import unquote

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from owray.openwhisk.client import OpenWhisk, OpenWhiskError
from owray.openwhisk.names import NAME, path_of
from owray.openwhisk.target import Target
from owray.plan.mix import Entry
from owray.wire.requests import prepare

NAMES = st.from_regex(NAME, fullmatch=True)


@given(NAMES, NAMES, NAMES)
def test_a_path_has_one_segment_for_each_name(namespace, package, name):
    assert path_of(namespace, "actions", f"{package}/{name}").count("/") == 7


@pytest.mark.parametrize("name", ["..", ".", "../x", "a/../b", "a//b", "/a", "a/", "%2e%2e", "a?b", "a#b", "a b\n", "\x00"])
def test_what_is_no_name_gets_into_no_path(name):
    with pytest.raises(ValueError, match="cannot be a name on OpenWhisk"):
        path_of("_", "actions", name)
    with pytest.raises(ValueError, match="cannot be a name on OpenWhisk"):
        path_of(name, "actions")


def test_the_control_plane_and_a_storm_ask_for_the_same_path():
    namespace, path = "me@example.org", "my pkg/a&b.c"
    asked = []

    async def answer(request):
        asked.append(request.raw_path)
        return web.json_response({})

    async def run():
        runner = web.AppRunner(app := web.Application())
        app.router.add_route("*", "/{path:.*}", answer)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            async with OpenWhisk(Target(f"http://127.0.0.1:{runner.addresses[0][1]}", "uuid:key", namespace)) as client:
                await client.call(path)
                with pytest.raises(OpenWhiskError, match=r"'\.\.' cannot be a name"):
                    await client.get_action("../../limits")
                with pytest.raises(OpenWhiskError, match=r"'\.\.' cannot be a name"):
                    await client.activation("../limits")
        finally:
            await runner.cleanup()

    asyncio.run(run())
    ((request,),) = prepare([Entry("own", "x", "", path)], host="h", auth="uuid:key", namespace=namespace, run="20260101-120000-ab12")
    assert [unquote(path) for path in asked] == [f"/api/v1/namespaces/{namespace}/actions/{path}?blocking=true"]
    assert unquote(request.before_seq.split()[1].decode()) == unquote(asked[0])
