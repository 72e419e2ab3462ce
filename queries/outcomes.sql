-- outcomes: what became of the calls, and why?
--
-- One HTTP status has many meanings (three kinds of 429; a 502 that is the function's own error), so outcomes come first, with the
-- text that came with them, its numbers replaced by N. All phases count: a refusal during the warm-up is a refusal.
--
-- examples   activation ids to show for each line (default 1, whole number from 1 to 1000)

select
    run,
    outcome,
    http_status,
    error,
    count(*)                                                                 as calls,
    round(100.0 * count(*) / sum(count(*)) over (partition by run), 2)       as percent,
    round(min(intended_us) / 1e6, 1)                                         as first_s,
    round(max(intended_us) / 1e6, 1)                                         as last_s,
    round(median(response_us) / 1e3, 1)                                      as median_ms,
    min(activation_id, $examples)                                            as activations
from calls
group by run, outcome, http_status, error
order by run, calls desc, outcome, http_status, error;
