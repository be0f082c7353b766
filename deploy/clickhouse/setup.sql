-- What mcloud needs of a ClickHouse server (24.8 or newer). Run it once as an
-- administrator, with passwords of your own:
--
--   clickhouse-client --multiquery < deploy/clickhouse/setup.sql
--
-- Then in mcloud.yaml:
--
--   store:
--     url: https://clickhouse.example:8443
--     database: mcloud
--     user: mcloud
--     password_file: /etc/mcloud/store-password
--
-- The collector creates the tables when it starts. Samples are dropped after
-- store.retention, 400 days unless set; events and objects are kept.

CREATE DATABASE IF NOT EXISTS mcloud ENGINE = Atomic;

-- The collector and the planner: they write, and bring the schema up to date.
CREATE USER IF NOT EXISTS mcloud IDENTIFIED WITH sha256_password BY 'change-me';
GRANT SELECT, INSERT, CREATE TABLE, ALTER TABLE, DROP TABLE, OPTIMIZE ON mcloud.* TO mcloud;

-- Grafana's ClickHouse data source and people: they read, with bounds.
-- readonly = 2, not 1: clients set their own timeouts and formats.
CREATE SETTINGS PROFILE IF NOT EXISTS mcloud_reader SETTINGS
    readonly = 2,
    max_execution_time = 60 MAX 300,
    max_memory_usage = 4000000000 MAX 4000000000;
CREATE USER IF NOT EXISTS mcloud_reader IDENTIFIED WITH sha256_password BY 'change-me-too' SETTINGS PROFILE mcloud_reader;
GRANT SELECT ON mcloud.* TO mcloud_reader;
