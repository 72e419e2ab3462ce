-- concurrency: how many calls, and how many containers, were at work over time?
--
-- A call is in flight from when it was sent until it was done, by the clock of its invoker. Mean and most are exact, from every start and
-- end, not from samples. Containers are those that had one of these calls at some moment of the line, as far as functions tell which; new
-- ones are the cold starts that were answered in it. Calls that were sent and of which nobody knows the end are in no line.
--
-- bucket_s   length of a line, in seconds (default 1, number from 0.001 to 86400)

with flights as (
    select
        run,
        container,
        cold,
        intended_us + lag_us + coalesce(held_us, 0)                          as sent_us,
        intended_us + response_us                                            as done_us,
        ($bucket_s * 1e6)::bigint                                        as bucket_us
    from calls
    where response_us is not null
),
touched as (
    select
        run,
        container,
        cold,
        done_us // bucket_us                                                 as done_line,
        bucket_us,
        unnest(range(sent_us // bucket_us, done_us // bucket_us + 1))        as line
    from flights
),
containers as (
    select
        run,
        line,
        bucket_us,
        count(distinct container)                                            as containers,
        count(*) filter (where cold and line = done_line)                    as new_containers
    from touched
    group by run, line, bucket_us
),
steps as (
    select run, sent_us as at_us, 1 as step from flights
    union all
    select run, done_us, -1 from flights
    union all
    select run, (line + extra) * bucket_us, 0 from containers, (select unnest([0, 1]) as extra)
),
moments as (
    select run, at_us, sum(step) as step
    from steps
    group by run, at_us
),
levels as (
    select
        run,
        at_us,
        sum(step) over (partition by run order by at_us)                     as in_flight,
        lead(at_us) over (partition by run order by at_us) - at_us           as for_us
    from moments
),
lines as (
    select
        run,
        at_us // ($bucket_s * 1e6)::bigint                               as line,
        sum(in_flight * for_us)                                              as area_us,
        max(in_flight)                                                       as most
    from levels
    group by run, line
)
select
    run,
    line * $bucket_s                                                         as from_s,
    round(coalesce(area_us, 0) / bucket_us, 2)                               as calls_mean,
    most::bigint                                                             as calls_most,
    containers,
    new_containers
from lines join containers using (run, line)
order by run, from_s;
