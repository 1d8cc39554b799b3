-- The sum of part_amount in sixtieths of its unit, of which a minute and a second are whole numbers: exact until the figure is
-- written. Rows have part_in_seconds (in_seconds.sql). Added up in 256 bits: two of the largest amounts are more than 128 hold.
sumIf(toDecimal256(part_amount, 9), NOT part_in_seconds) * 60 + sumIf(toDecimal256(part_amount, 9), part_in_seconds)
