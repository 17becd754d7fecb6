"""What is outside: weights, ONNX sessions, models, the LLM, Postgres, Parquet and photo folders."""
