batch IN {batches:Array(UInt64)} AND (empty({organizations:Array(String)}) OR organization IN {organizations:Array(String)})
