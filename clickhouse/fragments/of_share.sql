-- Sessions among the marks of some batches: of these organizations alone (empty: of all), those after one and up to another in order of
-- (organization, session), without those that are set aside. Said by each column of the key, so that an index finds them.
-- Params: those of fragments/of_batches.sql; after_organization, after_session String ('': from the first on), until_organization, until_session
-- String ('': to the last); aside_organizations, aside_sessions Array(String), in parallel.
{{of_batches}} AND session != ''
        AND organization >= {after_organization:String} AND (organization > {after_organization:String} OR session > {after_session:String})
        AND ({until_organization:String} = '' OR (organization <= {until_organization:String}
            AND (organization < {until_organization:String} OR session <= {until_session:String})))
        AND (organization, session) NOT IN (SELECT arrayJoin(arrayZip({aside_organizations:Array(String)}, {aside_sessions:Array(String)})))
