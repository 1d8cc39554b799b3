-- The part of a range that a rollup by quarters of an hour answers: up to before_ms and from after_ms on events are read one by one. For
-- a WITH. Params: from_ms, to_ms, whole_from_ms Int64 and those of whole_end.sql. An edge that is empty is folded away, so that no event
-- is looked for.
{{whole_end}},
least({whole_from_ms:Int64}, {to_ms:Int64}) AS before_ms,
greatest(whole_end_ms, {from_ms:Int64}) AS after_ms
