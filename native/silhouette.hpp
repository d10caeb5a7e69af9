// The mean silhouette over the pixels (Rousseeuw 1987) with the squared Euclidean distance, from the histogram alone.
#pragma once

#include <cstdint>
#include <span>

#include "box_tree.hpp"

namespace chromapress {

/// In the clustering space. A pixel alone in its cluster scores 0. Throws std::invalid_argument where the labels do not
/// fit the colours or name fewer than two clusters.
double silhouette(const HistogramView& view, std::span<const std::uint8_t> labels);

/// The same of a tree in sRGB, with labels in its order; NaN where they name fewer than two clusters.
double silhouette(const BoxTree& tree, std::span<const std::uint8_t> labels);

}  // namespace chromapress
