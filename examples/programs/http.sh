#!/bin/sh
# Enqueues a job over HTTP and looks at it: http.sh [GATEWAY]. Needs curl and a millrace-gateway.
gateway=${1:-http://127.0.0.1:8080}
answer=$(curl -sS -w '\n%{http_code}' -H 'Content-Type: application/json' \
  -d '{"payload": "hello", "priority": 2}' "$gateway/v1/topics/greetings/jobs") || exit 1
echo "$answer"
id=$(echo "$answer" | sed -n 's/.*"id":"\([^"]*\)".*/\1/p')
curl -sS "$gateway/v1/jobs/$id"
