"""The pool: who gets which connection, and what becomes of those that wait."""

import asyncio

from support.gateway import Gateway, Script, Step
from support.loops import run, settled

from owray.http1.connection import Tcp, connect
from owray.http1.pool import MAX_IDLE_S, MAX_USES, Pool
from owray.http1.request import render

REQUEST = render("POST", "/", {"Host": "here"}, b"{}")


class Caller:
    """Waits for a connection, and remembers in `served` in which order callers were served."""

    def __init__(self, name, served):
        self.name = name
        self.waiting = False
        self.connection = None
        self.error = None
        self._served = served

    def connected(self, connection):
        self.connection = connection
        self._served.append(self.name)

    def unconnected(self, error):
        self.error = error
        self._served.append(self.name)


class Opener:
    """Opens when told to: connections stand in for real ones as far as a pool looks at them."""

    def __init__(self):
        self.numbers = []
        self.pending = []

    async def __call__(self, number):
        self.numbers.append(number)
        future = asyncio.get_running_loop().create_future()
        self.pending.append(future)
        return await future

    async def finish(self, outcome):
        await settled()
        future = self.pending.pop(0)
        if isinstance(outcome, Exception):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
        await settled()


class Stub:
    def __init__(self, uses=0, reusable=True, active_s=0.0):
        self.uses = uses
        self.active_ns = round(active_s * 1e9)
        self.reusable = reusable
        self.aborted = False

    def abort(self):
        self.aborted = True
        self.reusable = False


def callers(pool, count, served):
    waiting = [Caller(index, served) for index in range(count)]
    for caller in waiting:
        pool.wait(caller)
    return waiting


def test_the_connection_used_last_is_used_next():
    async def main():
        pool = Pool(Opener())
        first, second = Stub(), Stub()
        pool.give_back(first)
        pool.give_back(second)
        assert [pool.take(), pool.take(), pool.take()] == [second, first, None]

    run(main())


def test_a_connection_that_died_while_idle_is_passed_over():
    async def main():
        pool = Pool(Opener())
        alive, dead = Stub(), Stub()
        pool.give_back(alive)
        pool.give_back(dead)
        dead.reusable = False
        assert pool.take() is alive

    run(main())


def test_who_waits_longest_is_served_first_by_what_comes_first():
    async def main():
        opener, served = Opener(), []
        pool = Pool(opener)
        waiting = callers(pool, 3, served)
        await settled()
        used = Stub(uses=1)
        pool.give_back(used)
        opened = Stub()
        await opener.finish(opened)
        assert served == [0, 1]
        assert [caller.connection for caller in waiting] == [used, opened, None]
        pool.close()

    run(main())


def test_a_connection_that_nobody_waits_for_any_more_is_kept():
    async def main():
        opener, served = Opener(), []
        pool = Pool(opener)
        callers(pool, 1, served)
        await settled()
        pool.give_back(Stub())
        late = Stub()
        await opener.finish(late)
        assert (served, pool.take()) == ([0], late)

    run(main())


def test_who_has_stopped_waiting_is_passed_over():
    async def main():
        opener, served = Opener(), []
        pool = Pool(opener)
        waiting = callers(pool, 3, served)
        waiting[0].waiting = False
        await settled()
        pool.give_back(Stub())
        assert served == [1]
        await opener.finish(OSError("no"))
        assert served == [1, 2]
        await opener.finish(OSError("no"))
        assert served == [1, 2]

    run(main())


def test_at_most_max_opening_connects_are_under_way_and_all_are_served_in_the_end():
    async def main():
        opener, served = Opener(), []
        pool = Pool(opener, max_opening=3)
        callers(pool, 10, served)
        most = 0
        for _ in range(10):
            await settled()
            most = max(most, len(opener.pending))
            await opener.finish(Stub())
        assert most == 3
        assert served == list(range(10))
        assert (opener.numbers, pool.opened) == (list(range(10)), 10)

    run(main())


def test_a_failed_connect_costs_one_caller_only():
    async def main():
        opener, served = Opener(), []
        pool = Pool(opener, max_opening=1)
        waiting = callers(pool, 2, served)
        await opener.finish(ConnectionRefusedError("refused"))
        await opener.finish(Stub())
        assert isinstance(waiting[0].error, ConnectionRefusedError)
        assert waiting[1].connection is not None
        assert pool.failed == 1

    run(main())


def test_a_connection_that_is_dead_on_arrival_is_a_failed_connect():
    async def main():
        opener, served = Opener(), []
        pool = Pool(opener)
        waiting = callers(pool, 1, served)
        await opener.finish(Stub(reusable=False))
        assert isinstance(waiting[0].error, ConnectionResetError)
        assert pool.failed == 1

    run(main())


def test_a_connection_is_let_go_before_the_server_does():
    async def main():
        pool = Pool(Opener(), max_uses=3)
        young, old = Stub(uses=2), Stub(uses=3)
        pool.give_back(young)
        pool.give_back(old)
        assert (old.aborted, young.aborted) == (True, False)
        assert (pool.take(), pool.take()) == (young, None)
        assert MAX_USES < 1000  # nginx's keepalive_requests
        pool.close()


def test_connections_that_have_been_idle_too_long_are_closed_and_the_others_stay():
    async def main():
        pool = Pool(Opener())
        oldest, older, young = (Stub(active_s=at) for at in (0, 10, 40))
        for connection in (oldest, older, young):
            pool.give_back(connection)
        pool.prune(round((MAX_IDLE_S + 10) * 1e9))
        assert [oldest.aborted, older.aborted, young.aborted] == [True, True, False]
        assert (pool.take(), pool.take()) == (young, None)
        assert MAX_IDLE_S < 60  # the shortest idle time-out of the servers in front of OpenWhisk

    run(main())


def test_another_is_opened_in_its_place_before_anybody_misses_it():
    async def main():
        opener = Opener()
        pool = Pool(opener, max_uses=3)
        pool.give_back(Stub(uses=3))
        successor = Stub()
        await opener.finish(successor)
        assert pool.take() is successor
        pool.give_back(Stub(uses=3))
        await opener.finish(OSError("nobody waits for it"))
        assert (pool.take(), pool.failed) == (None, 1)

    run(main())


def test_a_closed_pool_keeps_nothing_and_opens_nothing():
    async def main():
        opener, served = Opener(), []
        pool = Pool(opener)
        idle, used = Stub(), Stub()
        pool.give_back(idle)
        callers(pool, 1, served)
        await settled()
        pool.close()
        pool.give_back(used)
        await settled()
        callers(pool, 1, served)
        await settled()
        assert idle.aborted
        assert used.aborted
        assert (opener.numbers, served) == ([0], [])

    run(main())


def test_a_connection_that_opens_while_the_pool_closes_is_closed_too():
    async def main():
        opener, served = Opener(), []
        pool = Pool(opener)
        callers(pool, 1, served)
        await settled()
        late = Stub()
        opener.pending[0].set_result(late)
        pool._closed = True  # between the connect and its task: what close() leaves when the cancel comes too late
        await settled()
        assert late.aborted
        assert served == []

    run(main())


# --- with real connections


def pool_of(gateway, **how):
    async def open_connection(number):
        return await connect(asyncio.get_running_loop(), Tcp(gateway.host, gateway.port), number)

    return Pool(open_connection, **how)


class Driver:
    """Sends one request after another through a pool, each on whatever connection it gets."""

    def __init__(self, pool, count):
        self.waiting = False
        self.statuses = []
        self.over = asyncio.get_running_loop().create_future()
        self._pool = pool
        self._left = count

    def go(self):
        connection = self._pool.take()
        if connection is None:
            self._pool.wait(self)
        else:
            self.connected(connection)

    def connected(self, connection):
        connection.send(REQUEST, self)

    def unconnected(self, error):
        self.over.set_exception(error)

    def answered(self, connection, status, body):
        self._end(connection, status)

    def broken(self, connection, error):
        self._end(connection, None)

    def _end(self, connection, status):
        self.statuses.append(status)
        self._left -= 1
        self._pool.give_back(connection)
        if self._left:
            self.go()
        elif not self.over.done():
            self.over.set_result(None)


def test_far_fewer_connections_than_calls(loop_kind):
    async def main():
        async with Gateway(Script(steps=(Step(delay_ms=1),))) as gateway:
            pool = pool_of(gateway)
            drivers = [Driver(pool, 50) for _ in range(10)]
            for driver in drivers:
                driver.go()
            await asyncio.gather(*(driver.over for driver in drivers))
            assert [driver.statuses for driver in drivers] == [[200] * 50] * 10
            assert gateway.connections == pool.opened == 10
            pool.close()

    run(main(), loop_kind)


def test_connections_are_renewed_before_a_server_cuts_them_off(loop_kind):
    async def main():
        async with Gateway(Script(close_after=10, abrupt=True)) as gateway:
            pool = pool_of(gateway, max_uses=9)
            driver = Driver(pool, 50)
            driver.go()
            await driver.over
            assert driver.statuses == [200] * 50
            assert gateway.connections == 6
            pool.close()

    run(main(), loop_kind)


def test_a_server_that_hangs_up_on_every_connect_fails_callers_instead_of_losing_them(loop_kind):
    async def main():
        async with Gateway(Script(hang_up_on_connect=True)) as gateway:
            pool = pool_of(gateway)
            drivers = [Driver(pool, 1) for _ in range(20)]
            for driver in drivers:
                driver.go()
            results = await asyncio.gather(*(driver.over for driver in drivers), return_exceptions=True)
            for driver, result in zip(drivers, results, strict=True):
                assert isinstance(result, OSError) or driver.statuses == [None]
            pool.close()

    run(main(), loop_kind)
