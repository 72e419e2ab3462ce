"""The scripted gateway as a process of its own."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def test_it_listens_logs_and_ends_on_sigterm(tmp_path):
    port_file, log = tmp_path / "port", tmp_path / "log"
    script = {"steps": [{}, {"status": 202, "body": "{}"}], "cold": 2}
    command = [sys.executable, "-m", "support.gateway", "--port-file", str(port_file), "--log", str(log), "--script", json.dumps(script)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])})
    try:
        give_up_at = time.monotonic() + 20
        while not port_file.exists() and time.monotonic() < give_up_at:
            time.sleep(0.02)
        client = http.client.HTTPConnection("127.0.0.1", int(port_file.read_text()), timeout=10)
        statuses = []
        for seq in range(4):
            headers = {"X-Request-ID": f"run-{seq}", "Content-Type": "application/json"}
            client.request("POST", "/api/v1/namespaces/_/actions/align?blocking=true", b"{}", headers)
            reply = client.getresponse()
            reply.read()
            statuses.append(reply.status)
        client.close()
        assert statuses == [200, 202, 200, 202]
        assert [line.split()[0] for line in log.read_text().splitlines()] == ["run-0", "run-1", "run-2", "run-3"]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
