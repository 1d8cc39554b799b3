-- What events said about an interval, from rows `i` of `intervals`. Returns started_ms 9223372036854775807 where no start was seen; alives_thinned 1
-- where signs of life were left out. After fragments/known_signs.sql.
    min(i.started_ms) AS started_ms, max(i.ended_ms) AS ended_ms, max(i.seen_ms) AS seen_ms,
    max(i.alive_within).1 AS alive_within_at_ms, max(i.alive_within).2 AS alive_within_ms,
    latest_of(if(is_thinned, last_silences, all_silences)) AS alive_within_at, silence_ms AS shortest_ms,
    latest_of(groupUniqArrayArray(i.start_times)) AS start_times, latest_of(if(is_thinned, thinned_alives, all_alives)) AS alive_times, is_thinned AS alives_thinned,
    latest_of(groupUniqArrayArray(i.end_times)) AS end_times,
    max(i.user) AS user, max(i.room) AS room, max(i.agent) AS agent, max(i.partner) AS partner, max(i.reseller) AS reseller,
    max(i.first_dims).2 AS dims, if(max(i.first_dims).1 = 0, 0, 9223372036854775807 - max(i.first_dims).1) AS dims_at_ms,
    if(length(groupUniqArrayArray(i.dims_at)) > {max_signs:UInt32}, arraySlice(arrayReverseSort(groupUniqArrayArray(i.dims_at)), 1, {max_signs:UInt32}), groupUniqArrayArray(i.dims_at)) AS dims_at
