-- The largest term in which levels were derived; 0 before the first. No params.
SELECT max(term) AS term FROM deriver_terms
