-- In the address of a node `/` and `%` of its id are percent-encoded. Addresses of before are put in that form wherever they stand,
-- but in the audit, which never changes.
DO $$
DECLARE
	renamed record;
	place record;
BEGIN
	FOR renamed IN
		SELECT "node" AS "old", "kind" || ':' || replace(replace("id", '%', '%25'), '/', '%2F') AS "new"
		FROM "nodes" WHERE "kind" <> 'all' AND "id" ~ '[%/]'
		ORDER BY length("id")
	LOOP
		CONTINUE WHEN renamed."old" = renamed."new" OR EXISTS (SELECT FROM "nodes" WHERE "node" = renamed."new");
		INSERT INTO "nodes" ("node", "kind", "id", "name", "external_id", "status", "fields", "created_at")
			SELECT renamed."new", "kind", "id", "name", "external_id", "status", "fields", "created_at" FROM "nodes" WHERE "node" = renamed."old";
		FOR place IN
			SELECT columns.table_name, columns.column_name
			FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
			WHERE columns.table_schema = 'public' AND tables.table_type = 'BASE TABLE' AND columns.data_type = 'text'
				AND columns.table_name NOT IN ('audit_entries', 'audit_head') AND (columns.table_name, columns.column_name) <> ('nodes', 'node')
		LOOP
			EXECUTE format('UPDATE %I SET %I = $1 WHERE %I = $2', place.table_name, place.column_name, place.column_name)
				USING renamed."new", renamed."old";
		END LOOP;
		DELETE FROM "nodes" WHERE "node" = renamed."old";
	END LOOP;
END $$;
