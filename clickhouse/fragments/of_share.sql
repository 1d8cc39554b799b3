-- Sessions among the marks of some batches: of these organizations alone (empty: of all), a share of them by hash, without those that are set aside.
-- Params: those of fragments/of_batches.sql; share, shares UInt32; aside_organizations, aside_sessions Array(String), in parallel.
{{of_batches}} AND session != '' AND cityHash64(organization, session) % {shares:UInt32} = {share:UInt32}
        AND (organization, session) NOT IN (SELECT arrayJoin(arrayZip({aside_organizations:Array(String)}, {aside_sessions:Array(String)})))
