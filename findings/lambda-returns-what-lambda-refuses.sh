#!/usr/bin/env bash
# awslambdaric 4.2.2, the Python runtime client of AWS Lambda: what one function returns, another cannot receive.
#
# Expected: NaN is handled alike in both directions, refused or accepted.
# Seen: a returned NaN is sent as the token NaN, which is not JSON. The same bytes as an event are refused with
# Runtime.UnmarshalError, before the handler runs. A Decimal is returned with all its digits.
# So: check metrics for NaN before a function returns them to another function or a state machine.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet awslambdaric==4.2.2
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from awslambdaric.lambda_runtime_exception import FaultException
from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller

marshaller = LambdaMarshaller()
response, content_type = marshaller.marshal_response({"accuracy": float("nan")})
print("awslambdaric", version("awslambdaric"), "| returned:", response, content_type)
if response != '{"accuracy": NaN}':
    raise SystemExit("changed: NaN is no longer returned as it is")
try:
    event = marshaller.unmarshal_request(response.encode(), content_type)
except FaultException as error:
    print("as an event:", error.exception_type, "-", error.msg)
else:
    raise SystemExit(f"changed: the event is accepted as {event}")
PYTHON
