#!/bin/sh
# Creates the read-only login `reports` with a password for Grafana. The Postgres of compose.yaml runs this once, on an
# empty volume; the migrations later create the tables and grant the login its access.
set -eu
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set password="$READER_PASSWORD" <<'SQL'
SELECT 'CREATE ROLE reports' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reports') \gexec
ALTER ROLE reports LOGIN PASSWORD :'password';
SQL
