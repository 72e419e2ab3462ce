"""The view `seconds`: what happened in each second of a run, by the clock.

One row per run and second since t0, from 0 to the last in which anything happened, quiet ones too. Not per action: calls in flight and
percentiles cannot be added up over actions, and a second of one action seldom has the ten calls beyond a percentile that it needs. The
queries `timeline` and `by_action` split otherwise. It is one pass over `calls` for each of the three clocks (due, sent, done), and costs
nothing until it is asked.

    second                since t0
    at                    when it began: UTC, without a time zone; null where t0 was never agreed
    planned               calls due in it
    unsent, lost          of those: never attempted; attempted, and nobody knows when they ended
    sent                  calls sent in it, whenever they were due
    done = ok + not_ok    calls that ended in it, whenever they were sent; one that timed out ended when the time was up
    cold                  of those: cold starts
    in_flight             calls sent and not done when it ended
    p50_us, p99_us        response time of the ok calls that ended in it; null with fewer than ten calls beyond
    lag_max_us            the latest sending in it

So planned = done + unsent + lost over a whole run. By due time a stall shows where it began (`timeline`); by the clock it shows as it was.
"""

SECONDS = """
create view seconds as
with moments as (
    select
        run,
        outcome,
        cold,
        lag_us,
        response_us,
        intended_us // 1000000                                               as due_s,
        case when response_us is not null
             then (intended_us + lag_us + coalesce(held_us, 0)) // 1000000 end as sent_s,
        (intended_us + response_us) // 1000000                               as done_s
    from calls
),
due as (
    select
        run,
        due_s                                                                as second,
        count(*)                                                             as planned,
        count(*) filter (where outcome = 'unsent')                           as unsent,
        count(*) filter (where outcome <> 'unsent' and response_us is null)  as lost
    from moments
    group by run, due_s
),
sent as (
    select run, sent_s as second, count(*) as sent, max(lag_us) as lag_max_us
    from moments
    where sent_s is not null
    group by run, sent_s
),
done as (
    select
        run,
        done_s                                                               as second,
        count(*)                                                             as done,
        count(*) filter (where outcome = 'ok')                               as ok,
        count(*) filter (where cold)                                         as cold,
        percentile(case when outcome = 'ok' then response_us end, 0.5)       as p50_us,
        percentile(case when outcome = 'ok' then response_us end, 0.99)      as p99_us
    from moments
    where done_s is not null
    group by run, done_s
),
ends as (
    select run, max(greatest(due_s, coalesce(sent_s, 0), coalesce(done_s, 0))) as last
    from moments
    group by run
),
clock as (
    select run, unnest(range(last + 1)) as second
    from ends
)
select
    run,
    second,
    began.t0_utc::timestamp + to_seconds(second)                              as at,
    coalesce(planned, 0)                                                     as planned,
    coalesce(unsent, 0)                                                      as unsent,
    coalesce(lost, 0)                                                        as lost,
    coalesce(sent, 0)                                                        as sent,
    coalesce(done, 0)                                                        as done,
    coalesce(ok, 0)                                                          as ok,
    coalesce(done, 0) - coalesce(ok, 0)                                      as not_ok,
    coalesce(cold, 0)                                                        as cold,
    sum(coalesce(sent, 0) - coalesce(done, 0))
        over (partition by run order by second)::bigint                      as in_flight,
    p50_us,
    p99_us,
    lag_max_us
from clock
join (select run, t0_utc from runs) as began using (run)
left join due using (run, second)
left join sent using (run, second)
left join done using (run, second)
order by run, second
"""
