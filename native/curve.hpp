// What several numbers of colours are worth for one histogram.
#pragma once

#include <span>
#include <vector>

#include "kmeans.hpp"

namespace chromapress {

struct ScoredClustering {
  Clustering clustering;
  double silhouette = 0;  // of the clustering; NaN where all colours are in one cluster
  double error = 0;       // of the rounded palette: squared, in the clustering space, summed over pixels
};

/// One for each of `ks`, each as kmeans(), silhouette() and, on the entries that map_colors() takes, a sum
/// over the pixels would give it. options.start must be empty; options.k does not count; options.threads share out the
/// ks. Throws as kmeans().
std::vector<ScoredClustering> curve(const HistogramView& view, std::span<const std::size_t> ks,
                                    const KMeansOptions& options);

}  // namespace chromapress
