-- Gives events of usage_events the path that their organizations had at their time. A mutation: it feeds no view, and again it changes nothing.
-- Params: organizations Array(String), all with the same placements; since_ms Int64: of events from then on; sinces Array(Int64), partners,
-- resellers Array(String): the placements as in organization_stays.
ALTER TABLE usage_events
UPDATE
    partner = {partners:Array(String)}[arrayLastIndex(at_ms -> at_ms <= toUnixTimestamp64Milli(time), {sinces:Array(Int64)})],
    reseller = {resellers:Array(String)}[arrayLastIndex(at_ms -> at_ms <= toUnixTimestamp64Milli(time), {sinces:Array(Int64)})]
WHERE organization IN {organizations:Array(String)} AND time >= fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
SETTINGS mutations_sync = 2
