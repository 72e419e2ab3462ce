-- by_action: for which action did the platform work, and how long?
--
-- Calls are not work: an action with a tenth of the calls may take most of the time. Busy is the time that containers ran, init
-- included, of every call with a record, ok or not; the shares say who gets the machine. What the functions report of themselves (gen:
-- making their input, compute, io) are means of the calls that reported it.
--
-- phase   which calls (default measure, either measure or warmup)

select
    run,
    action,
    size,
    count(*)                                                                 as calls,
    round(100.0 * count(*) / sum(count(*)) over (partition by run), 1)       as calls_percent,
    round(coalesce(sum(duration_ms), 0) / 1e3, 1)                            as busy_s,
    round(100.0 * sum(duration_ms)
                / nullif(sum(sum(duration_ms)) over (partition by run), 0), 1) as busy_percent,
    round(avg(duration_ms), 1)                                               as busy_mean_ms,
    round(avg(gen_us) / 1e3, 2)                                              as gen_ms,
    round(avg(compute_us) / 1e3, 2)                                          as compute_ms,
    round(avg(io_us) / 1e3, 2)                                               as io_ms,
    round(avg(bytes_in) / 1e3, 2)                                            as reply_kb
from calls
where phase = $phase
group by run, action, size
order by run, busy_s desc, action, size;
