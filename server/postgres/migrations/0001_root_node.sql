INSERT INTO "nodes" ("node", "kind", "id", "name") VALUES ('all', 'all', '', 'All') ON CONFLICT DO NOTHING;
