// What several numbers of colours are worth for one histogram.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "kmeans.hpp"
#include "ward.hpp"

namespace chromapress {

struct ScoredClustering {
  Clustering clustering;
  double silhouette = 0;  // of the clustering; NaN where all colours are in one cluster
  double error = 0;       // of the rounded palette: squared, in the clustering space, summed over pixels
};

/// The clusterings of a histogram that come of the finest one, of 256 centres, by mergers and a quick refinement: each
/// depends on its k alone. What is given to the constructor must outlive it.
class Curve {
 public:
  /// options.start must be empty; options.k and max_iterations do not count. Throws as kmeans() with k = 256.
  Curve(const HistogramView& view, const KMeansOptions& options);

  /// As kmeans() with k = 256.
  [[nodiscard]] Clustering finest() const { return kmeans_.clustering(finest_); }

  /// One for each of `ks`, with the scores that silhouette() and, on the entries that map_colors() takes, a sum over
  /// the pixels would give it. `threads` share out the ks. Throws as kmeans().
  [[nodiscard]] std::vector<ScoredClustering> scored(std::span<const std::size_t> ks, std::size_t threads) const;

 private:
  [[nodiscard]] KMeans::Result cluster(std::size_t k) const;

  KMeans kmeans_;
  KMeans::Result finest_;
  WardMerges merges_;
  Points coarse_;      // of the finest clusters
  BoxTree elsewhere_;  // the colours in sRGB, where the clusterings are in another space
};

}  // namespace chromapress
