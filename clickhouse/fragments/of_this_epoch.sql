throwIf({epoch:UInt64} < (SELECT max(term) FROM deriver_terms), 'another process derives levels by now') = 0
