-- summary: how did each action do, and how fast was it for whom?
--
-- Percentiles of ok calls alone flatter a service that refuses: a fast 429 is nobody's answer. So the response time is told twice,
-- of ok calls and of all planned calls, where a call that is not ok counts as one that never ended (Infinity).
-- A percentile with fewer than ten calls beyond it is left empty. Rates are per second of the phase in which calls were due.
--
-- phase   which calls (default measure, either measure or warmup)

with chosen as (
    select
        *,
        outcome = 'ok'                                                       as good,
        case when outcome = 'ok' then response_us / 1e3
             else 'infinity'::double end                                     as or_never_ms
    from calls
    where phase = $phase
)
select
    run,
    action,
    size,
    count(*)                                                                 as planned,
    count(*) filter (where outcome <> 'unsent')                              as attempted,
    count(*) filter (where good)                                             as ok,
    round(100.0 * count(*) filter (where good) / count(*), 2)                as ok_percent,
    round(100.0 * count(*) filter (where cold) / nullif(count(cold), 0), 2)  as cold_percent,
    round(percentile(case when good then response_us end, 0.5) / 1e3, 1)     as ok_p50_ms,
    round(percentile(case when good then response_us end, 0.99) / 1e3, 1)    as ok_p99_ms,
    round(percentile(or_never_ms, 0.5), 1)                                   as all_p50_ms,
    round(percentile(or_never_ms, 0.99), 1)                                  as all_p99_ms,
    round(percentile(case when good then service_us end, 0.5) / 1e3, 1)      as service_p50_ms,
    round(percentile(lag_us, 0.99) / 1e3, 2)                                 as lag_p99_ms
from chosen
group by run, action, size
order by run, action, size;
