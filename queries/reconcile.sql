-- reconcile: is every planned call accounted for, once?
--
-- The rows are held against the plan, which is made again from the recipe in the manifest: counting rows would only compare the rows
-- with themselves. missing, duplicate and foreign must be 0. A run under way, or one that was cut off, misses what is not converted
-- yet (owray recover completes it); of a closed loop that time ends all rows are foreign until then, since its plan is what was begun.

with found as (
    select run, seq, count(*) as times
    from calls
    group by run, seq
),
matched as (
    select
        coalesce(plan.run, found.run)                                        as run,
        plan.seq is not null                                                 as is_planned,
        coalesce(found.times, 0)                                             as times
    from plan full join found on plan.run = found.run and plan.seq = found.seq
)
select
    run,
    count(*) filter (where is_planned)                                       as planned,
    sum(times)::bigint                                                       as "rows",
    count(*) filter (where is_planned and times = 0)                         as missing,
    coalesce(sum(times - 1) filter (where is_planned and times > 1), 0)::bigint as duplicate,
    coalesce(sum(times) filter (where not is_planned), 0)::bigint            as "foreign"
from matched
group by run
order by run;
