"""The API Lambda: FastAPI behind Mangum, ONNX Runtime in process, records sent to SQS."""
