-- Rows of organization_stays, as JSON. No params.
INSERT INTO organization_stays (organization, version, since_ms, partner, reseller) FORMAT JSONEachRow
