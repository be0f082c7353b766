-- What mcloud needs of a cluster of ClickHouse servers (24.8 or newer). Run it once, on
-- any of them, as an administrator, with passwords of your own:
--
--   clickhouse-client --multiquery < deploy/clickhouse/setup-cluster.sql
--
-- Then in mcloud.yaml:
--
--   store:
--     url: https://clickhouse.example:8443    # one server, or a load balancer before all
--     cluster: mcloud                         # its name in remote_servers
--     database: mcloud
--     user: mcloud
--     password_file: /etc/mcloud/store-password
--
-- The collector creates the tables on all servers when it starts.

CREATE DATABASE IF NOT EXISTS mcloud ON CLUSTER 'mcloud' ENGINE = Atomic;

-- Users are replicated (server/cluster.xml), so they are made on one server.
-- The collector and the planner: they write, and bring the schema up to date.
CREATE USER IF NOT EXISTS mcloud IDENTIFIED WITH sha256_password BY 'change-me';
GRANT SELECT, INSERT, CREATE TABLE, ALTER TABLE, DROP TABLE, OPTIMIZE, SYSTEM SYNC REPLICA ON mcloud.* TO mcloud;
-- ON CLUSTER, and clusterAllReplicas to see the parts and mutations of all servers.
GRANT CLUSTER, REMOTE, CREATE TEMPORARY TABLE ON *.* TO mcloud;
GRANT SELECT ON system.parts TO mcloud;
GRANT SELECT ON system.mutations TO mcloud;

-- Grafana's ClickHouse data source and people: they read, with bounds.
-- readonly = 2, not 1: clients set their own timeouts and formats.
CREATE SETTINGS PROFILE IF NOT EXISTS mcloud_reader SETTINGS
    readonly = 2,
    max_execution_time = 60 MAX 300,
    max_memory_usage = 4000000000 MAX 4000000000;
CREATE USER IF NOT EXISTS mcloud_reader IDENTIFIED WITH sha256_password BY 'change-me-too' SETTINGS PROFILE mcloud_reader;
GRANT SELECT ON mcloud.* TO mcloud_reader;
