-- little: do rows and invokers agree on how many calls were in flight?
--
-- Little's law: mean calls in flight = rate x mean time in the system. The left side is what the invokers counted while they fired, the
-- right side comes from the rows: two witnesses. They differ where rows are missing or times are wrong; the judge allows 2 %. Time in the
-- system is connect and service of every attempted call, ok or not. All means are over span_s, from t0 to the last end. Counted is
-- empty where an invoker did not tell.

with totals as (
    select
        run,
        count(*) filter (where outcome <> 'unsent')                          as sent,
        coalesce(sum(coalesce(connect_us, 0) + coalesce(service_us, 0))
                 filter (where outcome <> 'unsent'), 0)                      as in_system_us,
        max(intended_us + coalesce(response_us, 0))                          as span_us
    from calls
    group by run
)
select
    run,
    round(span_us / 1e6, 2)                                                  as span_s,
    sent,
    round(sent / (span_us / 1e6), 2)                                         as rate_rps,
    round(in_system_us / 1e3 / nullif(sent, 0), 2)                           as in_system_ms,
    round(in_system_us / span_us, 2)                                   as by_the_law,
    round(in_flight_us / span_us, 2)                                   as counted,
    round(100.0 * (in_flight_us - in_system_us) / nullif(in_system_us, 0), 2) as off_percent
from totals join (select run, in_flight_us from runs) as told using (run)
order by run;
