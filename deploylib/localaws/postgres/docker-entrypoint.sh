#!/bin/sh
# Make a database cluster in $PGDATA when there is none, then become the server. Takes what the official image's
# entrypoint takes, as far as the emulator uses it: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, server options.
set -eu

as_postgres() { setpriv --reuid=postgres --regid=postgres --init-groups -- "$@"; }

create_cluster() {
    user=${POSTGRES_USER:-postgres}
    database=${POSTGRES_DB:-$user}
    secret=$(as_postgres mktemp)
    # A half-made cluster would be taken for a whole one at the next start.
    trap 'rm -f "$secret"; find "$PGDATA" -mindepth 1 -delete' EXIT
    printf '%s\n' "${POSTGRES_PASSWORD:?must be set}" > "$secret"
    as_postgres initdb --pgdata="$PGDATA" --username="$user" --pwfile="$secret" --encoding=UTF8 --locale=C.UTF-8 \
        --auth-local=trust --auth-host=scram-sha-256 --no-sync > /dev/null
    echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
    if [ "$database" != postgres ]; then
        as_postgres pg_ctl --pgdata="$PGDATA" --options="-c listen_addresses=''" --wait --silent start > /dev/null
        as_postgres createdb --username="$user" --maintenance-db=postgres "$database"
        as_postgres pg_ctl --pgdata="$PGDATA" --mode=fast --wait --silent stop > /dev/null
    fi
    trap - EXIT
    rm -f "$secret"
}

case ${1:-} in
    postgres) shift ;;
    -* | '') ;;
    *) exec "$@" ;;
esac
mkdir -p "$PGDATA" /var/run/postgresql
chown postgres:postgres "$PGDATA" /var/run/postgresql
chmod 700 "$PGDATA"
[ -s "$PGDATA/PG_VERSION" ] || create_cluster
exec setpriv --reuid=postgres --regid=postgres --init-groups -- postgres -D "$PGDATA" -c listen_addresses='*' "$@"
