-- The sum of part_amount in sixtieths of its unit, of which a minute and a second are whole numbers: exact until the figure is
-- written. Rows have part_in_seconds (in_seconds.sql). In 256 bits, for sixty times the largest amount.
toDecimal256(sumIf(part_amount, NOT part_in_seconds), 9) * 60 + toDecimal256(sumIf(part_amount, part_in_seconds), 9)
