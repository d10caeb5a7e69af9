"""The columns of what the stages leave behind, and of the manifest: explicit Arrow schemas, nothing inferred."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

_CANDIDATE: Final = pa.struct(
    [
        pa.field("k", pa.int32()),
        pa.field("silhouette", pa.float64()),
        pa.field("psnr_db", pa.float64()),
        pa.field("delta_e", pa.float64()),
    ]
)
_K_BY_RULE: Final = pa.struct(
    [pa.field(rule, pa.int32()) for rule in ("fixed", "silhouette", "silhouette_floor", "quality")]
)

# Bytes of each file that was made of an image: {codec: size}.
_SIZE_BY_CODEC: Final = pa.map_(pa.string(), pa.int64())
_MEASURED: Final = (
    pa.field("psnr_db", pa.float64()),  # inf where nothing was lost
    pa.field("ssim", pa.float64()),
    pa.field("delta_e", pa.float64()),
)

# What a file is: found out by ingest, or by quantize, where ingest does not read it.
_FILE: Final = (
    pa.field("size_bytes", pa.int64()),
    pa.field("sha256", pa.string()),  # of the content; null where it was not read
    pa.field("format", pa.string()),
    pa.field("mode", pa.string()),
)

# One row for each landed file. `outcome` is null for what is to be quantized.
INGESTED: Final = pa.schema(
    [
        pa.field("relative_path", pa.string()),  # below the landing partition
        *_FILE,
        pa.field("content", pa.binary()),  # the file, byte for byte; null where the landing zone is read
        pa.field("pack", pa.string()),  # the pack that holds it, below the landing partition; null for a file
        pa.field("row_group", pa.int32()),  # of the pack
        pa.field("row", pa.int32()),  # of the row group
        pa.field("width", pa.int32()),  # upright; null where ingest does not decode
        pa.field("height", pa.int32()),
        pa.field("colors", pa.binary()),  # uint8 [n, 4], see the engine's contract; null where none is needed
        pa.field("counts", pa.binary()),  # uint32 [n]
        pa.field("outcome", pa.string()),
        pa.field("reason", pa.string()),
    ]
)

# One row for each image that is to be quantized.
SELECTED: Final = pa.schema(
    [
        pa.field("relative_path", pa.string()),
        pa.field("verdict", pa.string()),
        pa.field("k", pa.int32()),
        pa.field("centres", pa.binary()),  # float64 [k, 4], where K-means starts
        pa.field("reason", pa.string()),
        pa.field("below_floor", pa.bool_()),
        pa.field("curve", pa.list_(_CANDIDATE)),
        pa.field("k_by_rule", _K_BY_RULE),
        pa.field("flat_colors", pa.int32()),  # null where the image is no flat graphic
        pa.field("rules_disagree", pa.bool_()),  # silhouette and floor, by a factor of four
    ]
)

# One row for each image that was quantized, or turned out not to be an image: then with an outcome, and no palette.
QUANTIZED: Final = pa.schema(
    [
        pa.field("relative_path", pa.string()),
        *_FILE,
        pa.field("outcome", pa.string()),
        pa.field("reason", pa.string()),  # of the outcome, or as selected
        pa.field("k", pa.int32()),
        pa.field("palette", pa.binary()),  # uint8 [k, 4] straight RGBA
        pa.field("indices", pa.binary()),  # uint8 [height, width]
        pa.field("width", pa.int32()),  # upright
        pa.field("height", pa.int32()),
        pa.field("cluster_sizes", pa.list_(pa.int64())),  # pixels of each palette entry
        *_MEASURED,
        pa.field("below_floor", pa.bool_()),
    ]
)

# One row for each image that was quantized, with what it ends as.
COMPRESSED: Final = pa.schema(
    [
        pa.field("relative_path", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("codec", pa.string()),  # of the best file, also where the source is kept instead; null without one
        pa.field("encoded_size_bytes", pa.int64()),
        pa.field("encoded", pa.binary()),  # null where the source is kept
        pa.field("size_by_codec", _SIZE_BY_CODEC),
        pa.field("k", pa.int32()),  # null of a lossy file
        pa.field("below_floor", pa.bool_()),
        *_MEASURED,
    ]
)

# One row for each landed file, sorted by relative_path.
MANIFEST: Final = pa.schema(
    [
        pa.field("relative_path", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("published_path", pa.string()),  # below images/; null where rejected
        pa.field("pack", pa.int32()),  # layout parquet: the image is in images/part-<pack>.parquet
        pa.field("format", pa.string()),
        pa.field("mode", pa.string()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("source_size_bytes", pa.int64()),  # 0 of what was gone before it was read
        pa.field("source_sha256", pa.string()),
        pa.field("published_size_bytes", pa.int64()),
        pa.field("codec", pa.string()),  # of the best new file, also where the source was kept for it
        pa.field("encoded_size_bytes", pa.int64()),  # the same
        pa.field("size_by_codec", _SIZE_BY_CODEC),
        pa.field("k", pa.int32()),  # this and palette and sizes: null where a lossy file is better
        pa.field("below_floor", pa.bool_()),
        *_MEASURED,
        pa.field("palette", pa.binary()),
        pa.field("cluster_sizes", pa.list_(pa.int64())),
        pa.field("choice", pa.string()),  # why this k
        pa.field("curve", pa.list_(_CANDIDATE)),
        pa.field("k_by_rule", _K_BY_RULE),
        pa.field("flat_colors", pa.int32()),
        pa.field("rules_disagree", pa.bool_()),
    ]
)

# What publish leaves of each landed file for as long as it works, in the order of the parts.
ENDED: Final = pa.schema(
    [
        pa.field("relative_path", pa.string()),
        pa.field("outcome", pa.string()),
        pa.field("codec", pa.string()),
        pa.field("published_size_bytes", pa.int64()),
        pa.field("part", pa.int32()),  # of the stages' tables
        pa.field("told", pa.binary()),  # what MANIFEST has of it, pickled: nobody reads it on the way
    ]
)

# One row for each image that is to be published, and where it is in the stages' tables.
NAMED: Final = pa.schema(
    [
        pa.field("part", pa.int32()),
        pa.field("pack", pa.int32()),
        pa.field("relative_path", pa.string()),
        pa.field("published_path", pa.string()),
        pa.field("outcome", pa.string()),
    ]
)

# One row for each image of a published pack.
PACKED: Final = pa.schema(
    [
        pa.field("relative_path", pa.string()),
        pa.field("published_path", pa.string()),
        pa.field("content", pa.binary()),
    ]
)
