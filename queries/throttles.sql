-- throttles: how many calls did the platform let in, and which limit refused the others?
--
-- OpenWhisk counts calls by the minute of its own clock and refuses the rest of a minute once the limit is reached; the limit on
-- concurrent calls refuses by the moment. So a line is a minute unless told otherwise, by when calls were sent and counted from t0: the
-- platform's minutes begin elsewhere. Unnamed are refusals that do not say which limit it was.
--
-- bucket_s   length of a line, in seconds (default 60, number from 0.001 to 86400)

select
    run,
    (intended_us + lag_us + coalesce(held_us, 0))
        // (1e6 * $bucket_s)::bigint * $bucket_s                         as from_s,
    count(*)                                                                 as sent,
    count(*) filter (where not outcome like 'throttled%')                    as let_in,
    count(*) filter (where outcome = 'throttled_rate')                       as by_rate,
    count(*) filter (where outcome = 'throttled_concurrency')                as by_concurrency,
    count(*) filter (where outcome = 'throttled')                            as unnamed,
    round(100.0 * count(*) filter (where outcome like 'throttled%')
                / count(*), 2)                                               as refused_percent,
    round(min(intended_us) filter (where outcome like 'throttled%') / 1e6, 1) as first_refused_s,
    round(median(service_us) filter (where outcome like 'throttled%') / 1e3, 1) as refusal_p50_ms
from calls
where response_us is not null
group by run, from_s
order by run, from_s;
