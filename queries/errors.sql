-- errors: which calls went wrong, of which action, and when was it worst?
--
-- Everything that was attempted and is not ok, refusals by a limit too. A burst and a steady trickle have the same count: the worst second
-- and its calls tell them apart. Percent is of the calls of that action and size. The same error from one container only points at that
-- container. Numbers in error texts are replaced by N.
--
-- outcome   only outcomes like this; % stands for anything (default %, any text)

with by_second as (
    select
        run,
        action,
        size,
        outcome,
        error,
        intended_us // 1000000                                               as second,
        count(*)                                                             as calls,
        min(intended_us)                                                     as first_us,
        max(intended_us)                                                     as last_us,
        list(distinct container) filter (where container is not null)        as containers,
        min(activation_id)                                                   as activation
    from calls
    where outcome not in ('ok', 'unsent') and outcome like $outcome
    group by all
),
of_all as (
    select run, action, size, count(*) as calls
    from calls
    group by all
)
select
    run,
    action,
    size,
    outcome,
    error,
    sum(by_second.calls)::bigint                                             as calls,
    round(100.0 * sum(by_second.calls) / any_value(of_all.calls), 2)         as percent,
    round(min(first_us) / 1e6, 1)                                            as first_s,
    round(max(last_us) / 1e6, 1)                                             as last_s,
    arg_max(second, by_second.calls)                                         as worst_s,
    max(by_second.calls)                                                     as calls_then,
    coalesce(len(list_distinct(flatten(list(containers)))), 0)               as containers,
    min(activation)                                                          as activation
from by_second join of_all using (run, action, size)
group by run, action, size, outcome, error
order by run, calls desc, action, size, outcome, error;
