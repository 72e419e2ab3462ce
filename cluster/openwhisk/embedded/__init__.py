"""An OpenWhisk for one machine, without Docker: the REST API, the limits and the container pool of the real one, on processes.

It imitates the standalone deployment (one controller, one OpenWhisk invoker with the v1 container pool, lean balancer, records in memory)
and is faithful rather than nice: a call that the real platform would refuse, delay or fail is refused, delayed or failed here too.
It is *not* a sandbox: an action is a process of this machine with the rights of the user who started the platform. So it listens on
loopback addresses only and refuses requests whose Host header names another machine.

    config            who may call, the knobs and the profiles
    service           wires the rooms below together, starts and stops them;  __main__ runs it
    front, answers    HTTP in and out;  routes, queries: what a request asks for;  auth: who asks
    ids               names, versions, transaction and activation ids
    kinds, limits     which runtimes there are, and the ranges of an action's limits;  info: what the platform says about itself
    actions, entities the stored actions;  action_api: the requests about them
    sequences         actions of actions;  components: what is in them;  sequence_runs: the controller carries them out
    triggers, rules   what is called when something happens;  trigger_api, rule_api: the requests about them
    web_actions       actions called by anybody, as HTTP;  web_answers: what their results become
    throttles         the rate and the concurrency throttle
    pipeline          from an admitted invocation to its stored record;  outcomes, records: what became of it
    pool              who runs where and who waits (pure);  containers, spawner, logs: the processes
    runtimes/         what runs inside a container, and the server that forks them
    activations       the bounded store of records;  activation_api: the requests about them

`python -m cluster.openwhisk.embedded CONFIG` runs it; see `config.PlatformConfig`.
"""
