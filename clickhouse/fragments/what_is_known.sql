-- What events said about an interval, from rows `i` of `intervals`. Returns started_ms 9223372036854775807 where no start was seen.
    min(i.started_ms) AS started_ms, max(i.ended_ms) AS ended_ms, max(i.seen_ms) AS seen_ms,
    max(i.alive_within).1 AS alive_within_at_ms, max(i.alive_within).2 AS alive_within_ms,
    groupUniqArrayArray(i.start_times) AS start_times, groupUniqArrayArray(i.alive_times) AS alive_times, groupUniqArrayArray(i.end_times) AS end_times,
    max(i.user) AS user, max(i.room) AS room, max(i.agent) AS agent, max(i.partner) AS partner, max(i.reseller) AS reseller, max(i.dims) AS dims, groupUniqArrayArray(i.dims_at) AS dims_at
