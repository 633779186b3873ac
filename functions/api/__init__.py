"""The API Lambda: FastAPI behind Mangum, ONNX Runtime in process, records to SQS."""
