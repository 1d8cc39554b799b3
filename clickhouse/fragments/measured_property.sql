-- The number that a property of an event is or says, as the ingest reads numbers in texts: digits, with a sign and a point at
-- most; null where it says none, or more than Decimal(38, 9) holds: whatever was stored,
-- a question about it is answered. Decimals beyond the ninth are rounded half to even. For a WITH, after sent_properties.sql.
-- Params: measure String.
JSONExtractString(sent_properties, {measure:String}) AS measured_text,
position(measured_text, '.') AS measured_point,
multiIf(
    NOT match(measured_text, '^[+-]?[0-9]+([.][0-9]+)?$'), NULL,
    measured_point = 0 OR length(measured_text) - measured_point <= 9, toDecimal128OrNull(measured_text, 9),
    toDecimal128OrNull(toString(roundBankers(toDecimal256OrNull(measured_text, 38), 9)), 9)) AS measured_property
