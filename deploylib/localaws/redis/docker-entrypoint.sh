#!/bin/sh
# Become the server, as the user redis, with its data in /data. Takes what the official image's entrypoint takes: options,
# a configuration file, another program. A server that only containers of one private network reach needs no password.
set -eu

case ${1:-} in
    redis-server) shift ;;
    -* | *.conf | '') ;;
    *) exec "$@" ;;
esac
set -- redis-server "$@" --protected-mode no
[ "$(id -u)" = 0 ] || exec "$@"
chown -R redis:redis /data
exec setpriv --reuid=redis --regid=redis --init-groups -- "$@"
