-- slowest: which calls took longest, and where was their time?
--
-- Calls of any outcome and phase, with each part of their response. A call that timed out or was cut off (censored) took at least as long
-- as is shown. What no part accounts for is overhead: network and gateway. Look the activation up on the platform for its side of it.
--
-- count   how many calls of each run (default 10, whole number from 1 to 1000000)

select
    run,
    seq,
    action,
    size,
    outcome,
    round(intended_us / 1e6, 3)                                              as due_s,
    round(response_us / 1e3, 1)                                              as response_ms,
    censored,
    round(lag_us / 1e3, 1)                                                   as lag_ms,
    round(held_us / 1e3, 1)                                                  as held_ms,
    round(connect_us / 1e3, 1)                                               as connect_ms,
    wait_ms,
    init_ms,
    duration_ms - coalesce(init_ms, 0)                                       as run_ms,
    round(service_us / 1e3 - coalesce(wait_ms, 0) - duration_ms, 1)          as overhead_ms,
    container,
    activation_id
from calls
where response_us is not null
qualify row_number() over (partition by run order by response_us desc, seq) <= $count
order by run, response_us desc, seq;
