-- by_container: how evenly were the calls spread over containers?
--
-- A container is known by the fingerprint that the function itself reports, so calls of functions that report none are not here, nor are
-- calls without an answer. Gini is 0 when every container served as many calls, and near 1 when one served them all. Containers that
-- came late served less, evenly or not: during a ramp some unevenness is growth.
--
-- phase   which calls (default measure, either measure or warmup)

with containers as (
    select
        run,
        action,
        size,
        container,
        count(*)                                                             as calls,
        sum(duration_ms)                                                     as busy_ms,
        row_number() over (partition by run, action, size order by count(*)) as rank
    from calls
    where phase = $phase and container is not null
    group by run, action, size, container
)
select
    run,
    action,
    size,
    count(*)                                                                 as containers,
    sum(calls)::bigint                                                       as calls,
    min(calls)                                                               as calls_min,
    median(calls)                                                            as calls_median,
    max(calls)                                                               as calls_max,
    round((2.0 * sum(rank * calls) / sum(calls) - count(*) - 1) / count(*), 3) as gini,
    round(min(busy_ms) / 1e3, 2)                                             as busy_min_s,
    round(max(busy_ms) / 1e3, 2)                                             as busy_max_s
from containers
group by run, action, size
order by run, action, size;
