-- From here on nothing that derivations of earlier epochs send is taken.
-- Params: epoch UInt64.
INSERT INTO deriver_terms (term) SELECT {epoch:UInt64}
