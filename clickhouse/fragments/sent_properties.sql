-- The properties of events as JSON whose values every function here reads to the last digit. For a WITH over `properties`, in which a
-- number that a double would bend is an object with its text (server/ingest/accept/event-value.ts); what looks like one inside a text has
-- its quotes escaped.
replaceRegexpAll(properties, ':\\{"decimal":"([^"]*)"\\}', ':"\\1"') AS sent_properties
