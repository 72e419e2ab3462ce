-- cold_starts: what did a cold start cost, by action and size?
--
-- A call was cold when its record has an init time. What the user paid is not init alone: making the container sits in the wait.
-- So the cost is measured whole, as the difference of medians between cold and warm calls. Cold calls that met a cold storm wait for
-- each other too: that is part of the price.
--
-- min_calls   leave out actions with fewer cold or warm calls than this (default 10, whole number from 1 to 1000000)

select
    run,
    action,
    size,
    count(*) filter (where cold)                                             as cold_calls,
    round(100.0 * count(*) filter (where cold) / count(*), 2)                as cold_percent,
    round(median(service_us) filter (where not cold) / 1e3, 1)               as warm_p50_ms,
    round(median(service_us) filter (where cold) / 1e3, 1)                   as cold_p50_ms,
    round((median(service_us) filter (where cold)
         - median(service_us) filter (where not cold)) / 1e3, 1)             as cost_ms,
    round(median(init_ms) filter (where cold), 1)                            as of_which_init_ms
from calls
where phase = 'measure' and outcome = 'ok'
group by run, action, size
having cold_calls >= $min_calls and count(*) - cold_calls >= $min_calls
order by run, cost_ms desc, action, size;
