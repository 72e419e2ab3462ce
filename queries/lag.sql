-- lag: did the generator keep its own times?
--
-- Lag is the generator's doing alone: how much later than due it turned to a call. A frozen server must not show here, and where it does,
-- the ruler was bent. Held is not lag: it is the wait for the cap on calls in flight that the user set. One line per invoker, since each
-- has its own core; worst_at_s says when to look at `hosts`.
--
-- late_ms   count calls that were later than this, in milliseconds (default 1, number from 0 to 3600000)

select
    run,
    node,
    invoker,
    count(lag_us)                                                            as attempted,
    round(percentile(lag_us, 0.5) / 1e3, 3)                                  as lag_p50_ms,
    round(percentile(lag_us, 0.99) / 1e3, 3)                                 as lag_p99_ms,
    round(max(lag_us) / 1e3, 3)                                              as lag_max_ms,
    round(arg_max(intended_us, lag_us) / 1e6, 1)                             as worst_at_s,
    count(*) filter (where lag_us > $late_ms * 1e3)                         as late,
    round(100.0 * count(*) filter (where lag_us > $late_ms * 1e3)
                / nullif(count(lag_us), 0), 2)                               as late_percent,
    round(max(held_us) / 1e3, 1)                                             as held_max_ms
from calls
group by run, node, invoker
order by run, node, invoker;
