/** The configuration files of the embedded ClickHouse. */
import { createHash } from "node:crypto";

const mebibyte = 1024 * 1024;

interface ServerFiles {
  logPath: string;
  usersPath: string;
}

/** The service signs in with them. */
interface Credentials {
  username: string;
  password: string;
}

/**
 * Modest caches and pools: the service shares a small machine. A person finds the log at `logPath`. Holds the password: its file
 * is the owner's alone. A request without it finds nothing at any path, so that nobody can guess at users.
 */
export function serverConfig({ logPath, usersPath, username, password }: ServerFiles & Credentials): string {
  const basic = Buffer.from(`${username}:${password}`).toString("base64");
  return `<clickhouse>
  <logger>
    <level>warning</level>
    <log>${xml(logPath)}</log>
    <errorlog>${xml(logPath)}.err</errorlog>
    <size>20M</size>
    <count>3</count>
    <console>0</console>
  </logger>
  <users_config>${xml(usersPath)}</users_config>
  <keep_alive_timeout>10</keep_alive_timeout>
  <mark_cache_size>${128 * mebibyte}</mark_cache_size>
  <primary_index_cache_size>${128 * mebibyte}</primary_index_cache_size>
  <index_mark_cache_size>${32 * mebibyte}</index_mark_cache_size>
  <uncompressed_cache_size>0</uncompressed_cache_size>
  <max_server_memory_usage_to_ram_ratio>0.6</max_server_memory_usage_to_ram_ratio>
  <background_pool_size>4</background_pool_size>
  <background_schedule_pool_size>16</background_schedule_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <http_max_multipart_form_data_size>268435456</http_max_multipart_form_data_size>
  <timezone>UTC</timezone>
  <http_handlers>
    <rule>
      <headers><Authorization>Basic ${basic}</Authorization></headers>
      <handler><type>dynamic_query_handler</type><query_param_name>query</query_param_name></handler>
    </rule>
  </http_handlers>
  <merge_tree>
    <!-- The default of 8 is all that this pool has: a single running merge would hold the others to a fraction of their size. -->
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>2</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
  </merge_tree>
</clickhouse>
`;
}

/**
 * `default`, which has no password, may only run the statement that keeps the listener up, from within the process: over HTTP
 * only who shows the service's password is answered at all (`serverConfig`).
 */
export function usersConfig({ username, password }: Credentials): string {
  const hash = createHash("sha256").update(password).digest("hex");
  return `<clickhouse>
  <profiles>
    <default>
      <http_max_field_value_size>16777216</http_max_field_value_size>
      <max_query_size>16777216</max_query_size>
    </default>
  </profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <no_password/>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants>
        <query>GRANT SYSTEM LISTEN ON *.*</query>
        <query>GRANT SELECT ON system.numbers</query>
      </grants>
    </default>
    <${username}>
      <password_sha256_hex>${hash}</password_sha256_hex>
      <networks><ip>127.0.0.1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
    </${username}>
  </users>
</clickhouse>
`;
}

function xml(text: string): string {
  return text.replace(/[&<>]/g, (character) => (character === "&" ? "&amp;" : character === "<" ? "&lt;" : "&gt;"));
}
