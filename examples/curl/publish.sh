#!/bin/sh
# Publishes customers over HTTP with curl: sh publish.sh
#   CUSTSYNC_URL    where publisher serve listens, such as http://127.0.0.1:8090
#   CUSTSYNC_TOKEN  the shop's token
set -eu
customers=$CUSTSYNC_URL/v1/shops/acme/customers
answer=$(mktemp) status=$(mktemp)
trap 'rm -f "$answer" "$status"' EXIT

# 429 and 503 say "come back": curl waits for as long as Retry-After says. An answer
# of 202 says that all is stored; anything else ends the script, also 207: some lines
# of many were not, and the answer says which.
send() {
  printf 'header = "Authorization: Bearer %s"\n' "$CUSTSYNC_TOKEN" | # not on the command line, which others can see
    curl --config - --silent --show-error --fail-with-body --retry 5 --retry-connrefused --max-time 30 \
      --output "$answer" --write-out '%{http_code}' "$@" >"$status" || { cat "$answer" >&2; return 1; }
  cat "$answer"
  [ "$(cat "$status")" = 202 ]
}

# One customer: its whole state. What is left out is left alone, null clears.
send "$customers" --json '{"id": "curl-1", "version": 1, "email": "ada@example.com", "phone": null}'

# Many, one a line; the answer has a line for each. From a file: --data-binary @customers.ndjson
send "$customers" --header 'Content-Type: application/x-ndjson' --data-binary '{"id": "curl-2", "version": 1, "first_name": "Olga"}
{"id": "curl-3", "version": 1, "vip": true}'

# A customer who is gone.
send --request DELETE "$customers/curl-3?version=2"
