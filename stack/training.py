"""The job whose loaded classes go into Spark's class archive: a little of everything that the real jobs do."""

import tempfile
from collections.abc import Iterator
from operator import add

import pyarrow as pa
from pyspark.sql import SparkSession
from pyspark.sql import functions as F  # noqa: N812 (its usual name)


def same(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Pass rows through Python."""
    yield from batches


def main() -> None:
    """Count in pairs; write, read, join and aggregate a few rows."""
    spark = SparkSession.builder.config("spark.sql.shuffle.partitions", 2).getOrCreate()
    pairs = spark.sparkContext.parallelize(range(100), 2).map(lambda number: (number % 7, 1))
    pairs.reduceByKey(add).collect()
    with tempfile.TemporaryDirectory() as folder:
        rows = spark.range(0, 100, 1, 2).select(F.col("id"), F.col("id").cast("string").alias("name"))
        rows.mapInArrow(same, "id long, name string").write.parquet(f"file://{folder}/a")
        a = spark.read.parquet(f"file://{folder}/a")
        a.groupBy((F.col("id") % 7).alias("id")).agg(F.count("*").alias("n")).repartition(2).write.parquet(
            f"file://{folder}/b"
        )
        a.join(spark.read.parquet(f"file://{folder}/b"), "id").orderBy("name").collect()
    spark.stop()


if __name__ == "__main__":
    main()
