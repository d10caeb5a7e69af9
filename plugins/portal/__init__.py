"""The portal: people upload images and get them back smaller, without having heard of Airflow.

One FastAPI app in Airflow's API server, mounted at /chromapress. Airflow does not import this package by itself
(.airflowignore): chromapress_plugin.py does, in the API server alone.
"""
