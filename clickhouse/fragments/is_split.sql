-- Of rows of interval_sessions or `intervals` grouped by interval: whether events of several sessions name it, so that it is joined in its home. What
-- more than 100 sessions name is no name of one interval: there it is one interval in each of them, so that no more than so many sessions change
-- with one.
uniqUpTo(100)(session) BETWEEN 2 AND 100
