#!/usr/bin/env bash
# dagster-postgres 0.29.27 (Dagster 1.13.27): with SQLAlchemy 2.1 the documented `postgres_url: postgresql://…` fails.
#
# It depends on psycopg2, and allows SQLAlchemy below 3. SQLAlchemy 2.1 takes `postgresql://` for psycopg, version 3,
# which is not installed: a new installation ends with "No module named 'psycopg'". `postgresql+psycopg2://…` or
# `sqlalchemy<2.1` helps. deploy/dagster/requirements.txt has the latter, so that the documented URLs work.
#
# Seen 2026-11-30 with Python 3.11; no server listens at the URL:
#   SQLAlchemy 2.1.9,  postgresql://:           ModuleNotFoundError: No module named 'psycopg'
#   SQLAlchemy 2.1.9,  postgresql+psycopg2://:  OperationalError: it tries to connect
#   SQLAlchemy 2.0.45, postgresql://:           OperationalError: it tries to connect
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
install() { venv/bin/pip install --quiet --disable-pip-version-check "$@" > /dev/null 2>&1; }

cat > probe.py <<'PY'
import sys, warnings
warnings.simplefilter("ignore")
from dagster_postgres.utils import create_pg_engine
from sqlalchemy.pool import NullPool
try:
    create_pg_engine(sys.argv[1], poolclass=NullPool).connect()
except Exception as error:
    print(type(error).__name__, str(error).splitlines()[0])
PY
fail() { echo "changed: $1"; exit 1; }
seen() { # version of SQLAlchemy, scheme, what the error has to begin with
    error=$(venv/bin/python probe.py "$2://user:none@127.0.0.1:9/dagster" 2>&1 | tail -1)
    echo "SQLAlchemy $1, $2: $error"
    case $error in "$3"*) ;; *) fail "$2 with SQLAlchemy $1" ;; esac
}

install 'dagster==1.13.27' 'dagster-postgres==0.29.27' 'sqlalchemy==2.1.9'
seen 2.1.9 postgresql "ModuleNotFoundError No module named 'psycopg'"
seen 2.1.9 postgresql+psycopg2 OperationalError
install 'sqlalchemy==2.0.45'
seen 2.0.45 postgresql OperationalError
echo "as seen: with SQLAlchemy 2.1 the documented URL needs a driver that is not installed"
