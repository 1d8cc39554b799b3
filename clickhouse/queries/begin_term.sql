-- From here on nothing that derivations of earlier terms send is taken.
-- Params: term UInt64.
INSERT INTO deriver_terms (term) SELECT {term:UInt64}
