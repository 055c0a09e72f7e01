#!/bin/sh
# Print the CronJob of each account of a list, for `kubectl apply --prune`: docs/operations/many-accounts.md
# Prints nothing if a name is wrong, so that `--prune` removes nothing. The begins of the jobs are spread over the hour.
set -eu
name='[a-z][a-z0-9_]{0,40}' # with "fieldpulse-" before it, what Kubernetes allows
if wrong=$(grep -vxE "$name|#.*|" "$1"); then
    echo "$1 has a wrong name: $wrong. Names begin with a small letter; small letters, digits and _ follow, 41 in all." >&2
    exit 2
fi
if stores=$(grep -xE 'public|fieldpulse' "$1"); then
    echo "$1 has the name $stores. The schema of this name is for the stores: choose another name." >&2
    exit 2
fi
minute=0
for account in $(grep -xE "$name" "$1"); do
    echo ---
    sed -e '/^#/d' -e "s/ACCOUNT/$account/g" -e "s/JOB/$(echo "$account" | tr _ -)/" -e "s/MINUTE/$minute/" \
        "$(dirname "$0")/cronjob.yaml"
    minute=$(((minute + 7) % 60))
done
