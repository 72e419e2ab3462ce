"""`GET /metrics`, as Prometheus reads it."""

from prometheus_client.parser import text_string_to_metric_families
from support.api import GATED, eventually

MIB = 1024 * 1024


def scrape(api):
    """Samples by name and label values."""
    reply = api.request("GET", "/metrics", auth=None)
    assert (reply.status, reply.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = list(text_string_to_metric_families(reply.body.decode()))
    assert len({family.name for family in families}) == len(families)
    assert all(family.documentation for family in families)
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def change(before, after):
    return {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)}


def test_starts_and_outcomes_are_counted_as_they_come(new_platform, name):
    start = "counter_invoker_containerStart_counter_total"
    with new_platform(user_memory_mb=512) as api:
        first = scrape(api)
        assert {key[1]: value for key, value in first.items() if key[0] == start} == dict.fromkeys(
            ("cold", "warmed", "prewarmed", "recreated", "recreatedPrewarm"), 0
        )
        api.action(
            f"{name}a", "import time\ntime.sleep(0.005)\ndef main(args):\n    return {}\n"
        )  # else its init may take no whole millisecond
        api.action(f"{name}b", "def main(args):\n    return {'error': 1}\n", limits={"memory": 512})
        for _ in range(3):
            api.invoke(f"{name}a")
        api.invoke(f"{name}b")
        changed = change(first, scrape(api))
        assert changed[start, "cold"] == 1
        assert changed[start, "warmed"] == 2
        assert changed[start, "recreated"] == 1
        assert changed["owray_activations_total", "success"] == 3
        assert changed["owray_activations_total", "application_error"] == 1
        assert changed["owray_activation_init_seconds_total",] > 0
        assert changed["owray_http_responses_total", "502"] == 1
        assert changed["owray_activation_records",] == 4
        assert changed["owray_activation_records_bytes",] > 4 * 500


def test_gauges_say_what_runs_what_is_idle_and_what_waits(small, name, gate):
    small.action(name, GATED)
    small.action(f"{name}b", "def main(args):\n    return {}\n")
    running = [small.start(name, {"gate": str(gate)}) for _ in range(3)]

    def full():
        now = scrape(small)
        return now if now["gauge_containerPool_runBufferCount_counter",] == 1 else None

    now = eventually(full)
    assert now["gauge_containerPool_activeCount_counter",] == 2
    assert now["gauge_containerPool_activeSize_counter_bytes",] == 512 * MIB
    assert now["gauge_containerPool_idlesCount_counter",] == 0
    assert now["gauge_containerPool_runBufferSize_counter_bytes",] == 256 * MIB
    assert now["gauge_loadbalancer0_activationsInflight_counter",] == 3
    gate.touch()
    assert [future.result().status for future in running] == [200] * 3
    now = scrape(small)
    assert now["gauge_containerPool_activeCount_counter",] == now["gauge_loadbalancer0_activationsInflight_counter",] == 0
    assert now["gauge_containerPool_idlesSize_counter_bytes",] == 256 * MIB * now["gauge_containerPool_idlesCount_counter",] > 0


def test_records_that_made_room_and_logs_that_were_cut_are_said(new_platform, name):
    with new_platform("helm", activation_store_mb=1, invocations_per_minute=9999) as api:
        api.action(name, "def main(args):\n    print('x' * 1000 * args['kilobytes'])\n    return {}\n", limits={"logs": 1})
        for _ in range(4):
            activation = api.invoke(name, {"kilobytes": 300}).json["activationId"]
            api.record(activation)
        api.invoke(name, {"kilobytes": 1100})
        now = eventually(lambda: found if (found := scrape(api))["owray_logs_truncated_total",] else None)
        assert now["owray_logs_truncated_total",] == 1
        assert now["owray_activation_records_dropped_total",] == 5 - now["owray_activation_records",] > 0
        assert now["owray_activation_records_bytes",] <= MIB
