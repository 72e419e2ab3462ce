-- timeline: how did the storm go, second by second?
--
-- A call belongs to the second in which it was due, not to the one in which it was answered: so a stall shows where it began, and no
-- second looks quiet because its calls were still under way. The median is of ok calls; worst is the slowest call of any outcome.
--
-- bucket_s   length of a line, in seconds (default 1, number from 0.001 to 86400)

select
    run,
    intended_us // (1e6 * $bucket_s)::bigint * $bucket_s                 as from_s,
    count(*)                                                                 as due,
    count(*) filter (where outcome = 'ok')                                   as ok,
    count(*) filter (where outcome like 'throttled%')                        as throttled,
    count(*) filter (where outcome not in ('ok', 'unsent')
                       and outcome not like 'throttled%')                    as other,
    count(*) filter (where outcome = 'unsent')                               as unsent,
    count(*) filter (where cold)                                             as cold,
    round(median(response_us) filter (where outcome = 'ok') / 1e3, 1)        as ok_median_ms,
    round(max(response_us) / 1e3, 1)                                         as worst_ms,
    round(max(lag_us) / 1e3, 2)                                              as worst_lag_ms,
    round(max(held_us) / 1e3, 1)                                             as worst_held_ms
from calls
group by run, from_s
order by run, from_s;
