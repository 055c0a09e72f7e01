#!/usr/bin/env bash
# tap-salesforce 2.8.1: a day (type `date`, such as CloseDate) is emitted as midnight UTC, and the SDK's mapper breaks it.
#
# The tap types dates and times alike: anyOf of a date-time and a text. Its Transformer makes 2027-01-31T00:00:00.000000Z
# of the day 2027-01-31: in Chicago that is the evening before. A stream map that names such a property makes an invalid
# schema of it, which every SDK target refuses; `CloseDate[:10] if CloseDate else None` cures both.
#
# No account of Salesforce is needed: this is the tap's own schema code, and the Transformer with the hook that it uses.
#
# Seen 2026-11-29 with Python 3.11 and meltano-map-transform 0.12.3:
#   emitted    2027-01-31T00:00:00.000000Z
#   mapped     {"anyOf": [{...}, {...}, "null"]}
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
for package in tap-salesforce==2.8.1 meltano-map-transform==0.12.3; do
    python3 -m venv "${package%%==*}"
    "${package%%==*}/bin/pip" install --quiet --disable-pip-version-check "$package" >/dev/null
done

fail() { echo "changed: $1"; exit 1; }

tap-salesforce/bin/python - > in.singer 2>log <<'PYTHON' || { tail -3 log; exit 1; }
import singer
from singer import Transformer
from tap_salesforce.salesforce import field_to_property_schema
from tap_salesforce.sync import transform_bulk_data_hook

fields = [{"name": "Id", "type": "id"}, {"name": "CloseDate", "type": "date"}]
schema = {"type": "object", "properties": {field["name"]: field_to_property_schema(field, {})[0] for field in fields}}
singer.write_schema("Opportunity", schema, ["Id"])
with Transformer(pre_hook=transform_bulk_data_hook) as transformer:
    singer.write_record("Opportunity", transformer.transform({"Id": "006", "CloseDate": "2027-01-31"}, schema))
PYTHON
grep -q '"CloseDate": "2027-01-31T00:00:00.000000Z"' in.singer || fail "a day is emitted in another form"
echo '{"stream_maps": {"Opportunity": {"end_time": "CloseDate"}}}' > config.json
meltano-map-transform/bin/meltano-map-transform --config config.json < in.singer > out.singer 2>log || true
grep -qE '"end_time":\{"anyOf":\[\{[^}]*\},\{[^}]*\},"null"\]\}' out.singer || fail "the mapper makes another schema"
echo "as seen: the day becomes midnight UTC, and a mapped day gets an invalid schema"
