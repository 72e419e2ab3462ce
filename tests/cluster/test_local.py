"""Whether a platform can be used: not by its ping alone."""

import contextlib
import http.server
import threading

import pytest

from cluster.local import serving_trouble
from cluster.state import LabFolder, Service
from owray.openwhisk.target import Target, write_wskprops

LIMITS = "/api/v1/namespaces/_/limits"
TARGET = Target("http://127.0.0.1:1", "uuid:key")


@contextlib.contextmanager
def platform(*answers):
    """The address of a server that gives these statuses, one after the other (None: hangs up), and the requests that it heard."""
    waiting, heard = list(answers), []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            heard.append((self.path, self.headers["Authorization"]))
            status = waiting.pop(0)
            if status is None:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", heard
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path):
    made = LabFolder(tmp_path, "local")
    made.make()
    write_wskprops(made.wskprops, TARGET)
    return made


@pytest.mark.parametrize(
    ("answers", "trouble"),
    [
        ((200, 200), ""),
        ((200, 401), f"answers pings only: GET {LIMITS} with its own key gives 401"),
        ((200, 503), f"answers pings only: GET {LIMITS} with its own key gives 503"),
        ((200, None), f"answers pings only: GET {LIMITS} has no answer"),
        ((503,), "does not answer"),
        ((None,), "does not answer"),
    ],
)
def test_a_platform_serves_if_it_answers_a_ping_and_a_request_with_the_labs_key(folder, answers, trouble):
    with platform(*answers) as (address, heard):
        assert serving_trouble(folder, Service("ready", (), address)) == trouble
    assert heard == [("/ping", None), (LIMITS, TARGET.authorization)][: len(answers)]


def test_a_platform_whose_key_is_gone_serves_nobody(folder):
    folder.wskprops.unlink()
    with platform(200) as (address, _):
        assert serving_trouble(folder, Service("ready", (), address)) == f"its key cannot be read ({folder.wskprops})"


def test_a_platform_that_does_not_listen_does_not_answer(folder):
    with platform() as (address, _):
        pass
    assert serving_trouble(folder, Service("ready", (), address)) == "does not answer"
