"""The functions under test: one folder an action, with its source and its manifest.

An action is one file that a stock OpenWhisk runtime can load (CPython 3.7 or newer, Node 14 or newer, standard library only), so that
it deploys in milliseconds and starts without an image of its own. All keep the same rules, which is what makes their rows comparable:

    arguments   `size` (a row of the action's SIZES), or the size's parameters one by one; `seed`; `cache` where inputs can be kept
    inputs      are made from the seed inside the function: nothing is downloaded, and any two machines make the same
    checksum    depends on the arguments only, never on the machine, the version of the language or the order of calls. So no
                hash() of a string (salted by process), no sums of fractions, and of `random` only what all versions draw alike
    ok          the action's own judgement of its result, by a second way of knowing (accuracy, an algebraic check, a clock)

Every reply is one small object:

    checksum    eight hex digits
    ok          true or false
    t           microseconds: gen (making inputs), compute, io (waiting), total
    n           items worked on
    c, boot, k  the container's fingerprint: 16 hex digits and epoch milliseconds, both made once at import; calls served, this one
                included. k = 1 is the first call of a container, whatever the platform says about cold starts
    py or node  version of the language

`manifest.toml` beside the source says which workload the action belongs to, its limits, its sizes, and the checksums to expect for some
seeds. `python -m actions` makes those anew; `python -m actions --check` only compares.
"""
