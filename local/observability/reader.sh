#!/bin/sh
# Gives the login `reports`, which may read and do nothing else, a password for Grafana. The Postgres of compose.yaml
# runs it once, on an empty volume; the migrations make the tables later and grant the login what it may read.
set -eu
psql --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set password="$READER_PASSWORD" <<'SQL'
SELECT 'CREATE ROLE reports' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'reports') \gexec
ALTER ROLE reports LOGIN PASSWORD :'password';
SQL
