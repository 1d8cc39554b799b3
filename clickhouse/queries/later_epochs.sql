-- Epochs after one: the newest, and when the first of them began, in ms since 1970; 0 and 0 when there is none.
-- Params: epoch UInt64.
SELECT max(term) AS newest, if(count() = 0, 0, toUnixTimestamp64Milli(min(begun_at))) AS since_ms
FROM deriver_terms
WHERE term > {epoch:UInt64}
