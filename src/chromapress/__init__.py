"""The framework-free core of Chromapress: configuration, paths, decoding, choosing k, quality, the report.

It knows neither Airflow nor Spark; the jobs, the DAGs and the command line are built on it. The compiled engine is
`chromapress.engine`.
"""
