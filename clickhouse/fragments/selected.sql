-- Which rows a question is about, and by what it splits them. For a WITH over columns organization, reseller, partner,
-- agent, user, room, session, dims; a table that lacks one of them says what stands for it.
-- Params: kind, node String, agent String ('' for none; then kind is organization): the subtree;
-- filter_dimensions, filter_operators Array(String), filter_values Array(Array(String)): all of the filters must hold;
-- by String: the dimension to split by, '' for none; folds UInt8, keep Array(String): with folds 1, whatever is not in keep
-- becomes the one key with is_other 1.
-- A condition that nobody asked for is folded away before columns are read, so it costs nothing.
(
    ({kind:String} != 'organization' OR organization = {node:String})
    AND ({kind:String} != 'reseller' OR reseller = {node:String})
    AND ({kind:String} != 'partner' OR partner = {node:String})
    AND ({agent:String} = '' OR agent = {agent:String})
) AS is_in_subtree,
dimension -> if(dimension = '', '', if(dimension = 'user', user, if(dimension = 'organization', organization, if(dimension = 'agent', agent,
    if(dimension = 'room', room, if(dimension = 'session', session, if(dimension = 'reseller', toString(reseller), if(dimension = 'partner', toString(partner),
    JSONExtractString(dims, dimension))))))))) AS value_of,
{{holds}},
(
    empty({filter_dimensions:Array(String)})
    OR arrayAll((dimension, operator, wanted) -> holds(operator, wanted, value_of(dimension)),
        {filter_dimensions:Array(String)}, {filter_operators:Array(String)}, {filter_values:Array(Array(String))})
) AS is_selected,
value_of({by:String}) AS split_key,
if({folds:UInt8} = 1 AND NOT has({keep:Array(String)}, split_key), ('', toUInt8(1)), (split_key, toUInt8(0))) AS group_key
