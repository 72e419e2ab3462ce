-- phases: where did the time of a call go, by action and size?
--
-- Means, since only means add up: lag + held + connect + wait + init + run + overhead = response, of ok calls. Medians would not.
-- Overhead is what neither side accounts for: network, gateway, and the platform outside of its own wait. The platform tells whole
-- milliseconds, so it may be below zero by less than one. A wait below zero means that the platform's clocks disagree.
--
-- phase   which calls (default measure, either measure or warmup)

select
    run,
    action,
    size,
    cold,
    count(*)                                                                 as calls,
    round(avg(response_us) / 1e3, 2)                                         as response_ms,
    round(avg(lag_us) / 1e3, 2)                                              as lag_ms,
    round(avg(coalesce(held_us, 0)) / 1e3, 2)                                as held_ms,
    round(avg(coalesce(connect_us, 0)) / 1e3, 2)                             as connect_ms,
    round(avg(coalesce(wait_ms, 0)), 2)                                      as wait_ms,
    round(avg(coalesce(init_ms, 0)), 2)                                      as init_ms,
    round(avg(coalesce(duration_ms - coalesce(init_ms, 0), 0)), 2)           as run_ms,
    round(avg(service_us / 1e3 - coalesce(wait_ms, 0)
                               - coalesce(duration_ms, 0)), 2)               as overhead_ms
from calls
where phase = $phase and outcome = 'ok'
group by run, action, size, cold
order by run, action, size, cold;
