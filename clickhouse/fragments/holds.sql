-- Whether a row's value passes a filter (server/catalog/filters.ts): one of the wanted ones, none of them, or it starts with one.
(operator, wanted, value) -> multiIf(
    operator = 'in', has(wanted, value),
    operator = 'not', NOT has(wanted, value),
    arrayExists(prefix -> startsWith(value, prefix), wanted)) AS holds
